//! The listener.

use std::sync::Arc;

use barograph_query::sql::SqlEngine;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::cancel::Registry;
use super::connection::serve_connection;
use super::startup::Users;
use crate::config::SqlUser;

/// Connections at the same time; PostgreSQL's own default.
const CONNECTIONS_MAX: usize = 100;

/// What every connection needs.
#[derive(Debug)]
pub struct PostgresParts {
    pub(super) sql: Arc<SqlEngine>,
    pub(super) users: Arc<Users>,
    pub(super) registry: Arc<Registry>,
    pub(super) stop: CancellationToken,
}

/// Serves connections until told to stop.
pub async fn serve(listener: TcpListener, sql: Arc<SqlEngine>, users: Vec<SqlUser>, stop: CancellationToken) {
    let parts = Arc::new(PostgresParts {
        sql,
        users: Arc::new(Users::new(&users)),
        registry: Arc::default(),
        stop: stop.clone(),
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection of PostgreSQL's protocol was not accepted");
                // No descriptor is left, most likely; those that end give some back.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let parts = Arc::clone(&parts);
        let place = Arc::clone(&places).try_acquire_owned();
        tokio::spawn(async move {
            // One that finds no place is still heard: it may be a cancel request, which frees one.
            let has_place = place.is_ok();
            if let Err(error) = serve_connection(stream, &parts, has_place).await {
                tracing::debug!(%peer, %error, "a connection of PostgreSQL's protocol broke");
            }
            drop(place);
        });
    }
}
