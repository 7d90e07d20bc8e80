use std::sync::Arc;

use barograph_alerts::Options;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::alerting::test_hub::TestHub;
use crate::grpc::serve;

fn arguments(url: &str, cursor: Option<&str>) -> WatchArgs {
    let cursor = cursor.map(str::to_owned);
    WatchArgs {
        url: url.to_owned(),
        cursor,
        filter: String::new(),
        format: WatchFormat::Text,
    }
}

#[tokio::test]
async fn goes_on_where_it_was_when_the_server_comes_back() {
    let test = TestHub::new(Options::default());
    test.grow_to(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, Arc::clone(&test.hub), None, stop.clone()));
    let (lines, mut printed) = mpsc::unbounded_channel();
    let watching = tokio::spawn(async move {
        let args = arguments(&format!("http://{address}"), None);
        let mut watcher = Watcher::new(&args, |line: &str| {
            lines
                .send(line.to_owned())
                .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
        });
        watcher.follow().await
    });
    let still = printed.recv().await.unwrap();
    assert!(still.contains("still firing P1 g/Down{host=\"a\""), "{still}");
    test.grow_to(2);
    assert!(printed.recv().await.unwrap().contains(" resolved P1 g/Down"));
    stop.cancel();
    server.await.unwrap().unwrap();
    test.grow_to(5);
    let listener = TcpListener::bind(address).await.unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, Arc::clone(&test.hub), None, stop.clone()));
    for seq in 3..=5 {
        let line = printed.recv().await.unwrap();
        assert!(line.ends_with(&format!("-{seq}]")), "{line}");
    }
    // Nobody reads any more: the next line ends it without an error.
    drop(printed);
    test.grow_to(6);
    watching.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_the_server_refuses_is_an_error() {
    let test = TestHub::new(Options::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(
        listener,
        Arc::clone(&test.hub),
        None,
        CancellationToken::new(),
    ));
    let args = arguments(&url, Some("yesterday"));
    let error = Watcher::new(&args, |_: &str| Ok(())).follow().await.unwrap_err();
    assert!(
        error.to_string().contains("\"yesterday\" is not a cursor"),
        "{error}"
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    for url in ["", "127.0.0.1", "https://a:1", "not a url"] {
        let args = arguments(url, None);
        let error = Watcher::new(&args, |_: &str| Ok(())).follow().await.unwrap_err();
        assert!(
            error.to_string().contains("(try \"http://127.0.0.1:7118\")"),
            "{error}"
        );
    }
}
