//! `barograph serve`: the program until it is told to stop.

use std::sync::Arc;

use anyhow::Context;
use barograph_model::{Clock, SystemClock};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::serve::ServeArgs;
use crate::compose::Server;

/// Runs until SIGTERM or SIGINT; SIGHUP reads the rule files again.
///
/// Signals are listened to before anything starts: one that comes while it does ends the program as soon as it has, and
/// as cleanly as any other.
///
/// # Errors
/// What keeps the program from starting, or from writing out its memory at the end.
pub async fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let config = args.to_config()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let mut server = Server::start(config, &args.data_dir, clock).await?;
    server.start_watching()?;
    tracing::info!(
        http = server.http_address().map(tracing::field::display),
        grpc = server.grpc_address().map(tracing::field::display),
        postgres = server.postgres_address().map(tracing::field::display),
        data_dir = %args.data_dir.display(),
        "Barograph is ready"
    );
    signals.until_stopped(&server).await;
    tracing::info!("stopping: what is in memory is written to segments");
    server.stop().await?;
    tracing::info!("stopped");
    Ok(())
}

/// The signals that the program knows. From when they are listened to, none of them ends it by itself.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens to them.
    ///
    /// # Errors
    /// When signals cannot be received.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot receive signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT, also one that has come since they are listened to; SIGHUP reads the rule files again.
    pub async fn until_stopped(&mut self, server: &Server) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    let reload = server.reload();
                    match tokio::task::spawn_blocking(move || reload.run()).await {
                        Ok(Ok(rules)) => tracing::info!(rules, "the rules were read again"),
                        Ok(Err(error)) => tracing::error!(%error, "the rules that were loaded stay"),
                        Err(error) => tracing::error!(%error, "the reload did not finish"),
                    }
                }
            }
        }
    }
}
