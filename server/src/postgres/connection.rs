//! One connection, from its first byte to its last.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use pgwire::api::{ClientInfo, DefaultClient, METADATA_USER, NoopHandler, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{PgWireMessageServerCodec, process_error, process_message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use super::cancel::Registered;
use super::error::fatal;
use super::frame_limit::FrameLimit;
use super::handlers::Handlers;
use super::serve::PostgresParts;
use super::session::Session;
use super::startup::Startup;
use super::statement::Prepared;

/// How long a client may take to log in; PostgreSQL's own default.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// The first bytes of requests for encryption: a length of eight, and a code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

type Socket = Framed<FrameLimit<TcpStream>, PgWireMessageServerCodec<Prepared>>;

/// Serves a connection to its end. Without a place it may only cancel.
pub(super) async fn serve_connection(
    mut stream: TcpStream,
    parts: &Arc<PostgresParts>,
    has_place: bool,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let deadline = tokio::time::Instant::now() + LOGIN_TIMEOUT;
    let Ok(first) = tokio::time::timeout_at(deadline, refuse_encryption(&mut stream)).await else {
        return Ok(());
    };
    let first = first?;
    let peer = stream.peer_addr()?;
    let stream = stream.into_std()?;
    let session = Arc::new(Session::new(stream.try_clone()?, parts.stop.clone()));
    let stream = FrameLimit::new(first.to_vec(), TcpStream::from_std(stream)?);
    let mut socket = Framed::new(
        stream,
        PgWireMessageServerCodec::new(DefaultClient::new(peer, false)),
    );
    socket.set_state(PgWireConnectionState::AwaitingStartup);
    let startup = Arc::new(Startup::new(&parts.users));
    let handlers = Arc::new(Handlers::new(Arc::clone(&parts.sql), Arc::clone(&session)));
    // `COPY FROM STDIN` is refused before it begins.
    let copy = Arc::new(NoopHandler);
    let mut registered: Option<Registered> = None;
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = tokio::time::sleep_until(deadline), if registered.is_none() => return Ok(()),
            () = parts.stop.cancelled() => {
                return end(&mut socket, "57P01", "terminating connection: the server stops").await;
            }
        };
        let message = match message {
            None | Some(Ok(PgWireFrontendMessage::Terminate(_))) => return Ok(()),
            Some(Ok(message)) => message,
            Some(Err(error)) => return end(&mut socket, "08P01", &error.to_string()).await,
        };
        if !has_place && matches!(message, PgWireFrontendMessage::Startup(_)) {
            return end(&mut socket, "53300", "sorry, too many clients already").await;
        }
        let waits_for_sync = message.is_extended_query();
        let is_cancel = matches!(message, PgWireFrontendMessage::CancelRequest(_));
        let processed = process_message(
            message,
            &mut socket,
            Arc::clone(&startup),
            Arc::clone(&handlers),
            Arc::clone(&handlers),
            Arc::clone(&copy),
            Arc::clone(&parts.registry),
        )
        .await;
        if is_cancel {
            return Ok(());
        }
        if let Err(error) = processed {
            let error = match error {
                PgWireError::InvalidPassword(_) => {
                    let user = socket.metadata().get(METADATA_USER).cloned().unwrap_or_default();
                    fatal(
                        "28P01",
                        &format!("password authentication failed for user {user:?}"),
                    )
                }
                other => other,
            };
            let error = ErrorInfo::from(error);
            tracing::debug!(%peer, code = error.code, message = error.message, "a client of PostgreSQL's protocol was refused");
            process_error(
                &mut socket,
                PgWireError::UserError(Box::new(error)),
                waits_for_sync,
            )
            .await?;
            if registered.is_none() {
                // A login that has failed is not tried again on the same connection.
                return Ok(());
            }
        }
        if registered.is_none() && matches!(socket.state(), PgWireConnectionState::ReadyForQuery) {
            let (pid, secret) = socket.pid_and_secret_key();
            registered = Some(parts.registry.enter(pid, &secret, &session));
            for (name, value) in startup_settings(socket.metadata()) {
                if let Err(error) = session.set(&name, Some(value)) {
                    let error = ErrorInfo::from(error);
                    return end(&mut socket, &error.code, &error.message).await;
                }
            }
        }
    }
}

/// Answers that there is no encryption, to a client that asks for it first. Gives the bytes that come behind.
async fn refuse_encryption(stream: &mut TcpStream) -> io::Result<[u8; 8]> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).await?;
    // Once for each kind. No message is shorter than these.
    for _ in 0..2 {
        if head != SSL_REQUEST && head != GSS_REQUEST {
            break;
        }
        stream.write_all(b"N").await?;
        stream.read_exact(&mut head).await?;
    }
    Ok(head)
}

/// Settings in the startup message: those of the protocol's own names, and `options=-c name=value`.
fn startup_settings(metadata: &std::collections::HashMap<String, String>) -> Vec<(String, String)> {
    let mut settings: Vec<_> = metadata
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .filter(|(name, _)| !matches!(name.as_str(), "user" | "database" | "options" | "replication"))
        .collect();
    let options = metadata.get("options").map(String::as_str).unwrap_or_default();
    let mut words = options.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let pair = match word {
            "-c" => words.next(),
            word => word.strip_prefix("-c").or_else(|| word.strip_prefix("--")),
        };
        if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
            settings.push((name.to_lowercase().replace('-', "_"), value.to_owned()));
        }
    }
    settings
}

/// Says why, and ends the connection.
async fn end(socket: &mut Socket, code: &str, message: &str) -> io::Result<()> {
    let error = ErrorInfo::from(fatal(code, message));
    socket.set_transaction_status(TransactionStatus::Idle);
    socket
        .send(PgWireBackendMessage::ErrorResponse(error.into()))
        .await?;
    socket.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_with_the_startup_message() {
        let metadata = [
            ("user", "me"),
            ("database", "x"),
            ("TimeZone", "Europe/Berlin"),
            (
                "options",
                "-c statement_timeout=5s --search-path=public -cdatestyle=ISO",
            ),
        ];
        let metadata = metadata
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let mut settings = startup_settings(&metadata);
        settings.sort();
        let expected = [
            ("datestyle", "ISO"),
            ("search_path", "public"),
            ("statement_timeout", "5s"),
            ("timezone", "Europe/Berlin"),
        ];
        assert_eq!(
            settings,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
