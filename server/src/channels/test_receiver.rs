//! A webhook receiver on loopback for tests: answers, hangs or cuts the connection as scripted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the receiver does with one request, after it has read all of it.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    /// Answers with a status, headers (`Name: value\r\n` each) and a text.
    Answer(u16, &'static str, &'static str),
    /// Closes the connection without an answer.
    Cut,
    /// Keeps the connection open and says nothing.
    Hang,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: serde_json::Value,
}

/// Listens until dropped. Requests beyond the script are answered with 200.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) requests: mpsc::UnboundedReceiver<Received>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(script: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let (sender, requests) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), sender.clone()));
            }
        });
        Self { url, requests, task }
    }

    /// The next request; waits for it.
    pub(crate) async fn next(&mut self) -> Received {
        self.requests.recv().await.unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Script>>>,
    requests: mpsc::UnboundedSender<Received>,
) {
    while let Some(request) = read_request(&mut stream).await {
        let step = script
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Script::Answer(200, "", ""));
        let _ = requests.send(request);
        match step {
            Script::Answer(status, headers, text) => {
                let length = text.len();
                let answer =
                    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{text}");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Script::Cut => return,
            Script::Hang => std::future::pending().await,
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let headers: BTreeMap<String, String> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if let Some(body) = bytes.get(end + 4..end + 4 + length) {
                return Some(Received {
                    headers,
                    body: serde_json::from_slice(body).unwrap(),
                });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
