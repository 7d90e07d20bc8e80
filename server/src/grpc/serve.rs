//! The gRPC listener.

use std::sync::Arc;
use std::time::Duration;

use barograph_proto::v1::alerts_server::AlertsServer;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::AlertsService;
use crate::alerting::AlertHub;

/// A client that does not answer a ping for this long is gone, and its stream with it.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Requests hold a cursor and a filter.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Serves subscriptions until told to stop; open streams then end with `UNAVAILABLE`, and this returns. A listener
/// that breaks before is logged: the rest of the program goes on.
pub async fn serve(listener: TcpListener, hub: Arc<AlertHub>, stop: CancellationToken) {
    let address = listener.local_addr().ok();
    let service = AlertsServer::new(AlertsService::new(hub, stop.clone()));
    let served = Server::builder()
        .http2_keepalive_interval(Some(PING_TIMEOUT))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .add_service(service.max_decoding_message_size(REQUEST_BYTES_MAX))
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(?address, %error, "gRPC has ended; alerts cannot be subscribed to until a restart");
    }
}
