//! `barograph serve`: the program until it is told to stop.

use std::sync::Arc;

use anyhow::Context;
use barograph_model::{Clock, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::serve::ServeArgs;
use crate::compose::Server;

/// Runs until SIGTERM or SIGINT; SIGHUP reads the rule files again.
///
/// # Errors
/// What keeps the program from starting, or from writing out its memory at the end.
pub async fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let config = args.to_config()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let mut server = Server::start(config, &args.data_dir, clock).await?;
    server.start_watching()?;
    tracing::info!(
        http = server.http_address().map(tracing::field::display),
        grpc = server.grpc_address().map(tracing::field::display),
        data_dir = %args.data_dir.display(),
        "Barograph is ready"
    );
    until_stopped(&server).await?;
    tracing::info!("stopping: what is in memory is written to segments");
    server.stop().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// When signals cannot be received.
pub async fn until_stopped(server: &Server) -> anyhow::Result<()> {
    let listen = |kind| signal(kind).context("cannot receive signals");
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => {
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
