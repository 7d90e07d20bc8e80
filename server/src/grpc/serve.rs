//! The gRPC listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use barograph_proto::v1::alerts_server::AlertsServer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::AlertsService;
use crate::alerting::AlertHub;
use crate::flight::FlightService;

/// A client that does not answer a ping for this long is gone, and its stream with it.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Requests hold a cursor and a filter.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Why the edge ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The listener's own address is unknown.
    #[error("gRPC listener: {0}")]
    Address(#[from] io::Error),
    /// The server ended before it was told to.
    #[error("gRPC on {address}: {source}")]
    Transport {
        /// Where it listened.
        address: SocketAddr,
        /// What went wrong.
        source: tonic::transport::Error,
    },
}

/// Serves subscriptions and Flight SQL until told to stop; open streams then end with `UNAVAILABLE`, and this returns.
///
/// # Errors
/// [`ServeError`] when the listener breaks.
pub async fn serve(
    listener: TcpListener,
    hub: Arc<AlertHub>,
    flight: Option<FlightService>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    let service = AlertsServer::new(AlertsService::new(hub, stop.clone()));
    Server::builder()
        .http2_keepalive_interval(Some(PING_TIMEOUT))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .add_service(service.max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_optional_service(flight)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled_owned())
        .await
        .map_err(|source| ServeError::Transport { address, source })
}
