//! `barograph demo`: an ordinary server in this process, fed with a made-up fleet over loopback.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use barograph_datasets::Fleet;
use barograph_model::{Clock, SystemClock, TimestampMs};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{BACK_FILL_STEP_MS, Feeder, LIVE_STEP_MS, Tour, write_files};
use crate::cli::serve::DemoArgs;
use crate::compose::Server;
use crate::config::Config;
use crate::serve::Signals;

/// The file that remembers which fleet a data directory holds.
const FLEET_FILE: &str = "demo-fleet.json";

/// How long the report waits for the detectors to learn from the history.
const CATCH_UP: Duration = Duration::from_secs(60);

/// How often the report looks whether they have.
const CATCH_UP_POLL: Duration = Duration::from_millis(200);

/// After how long the live incident is looked at.
const LIVE_REPORT_AFTER: Duration = Duration::from_secs(60);

/// The fleet of a data directory, so that a demo that is started again goes on with the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FleetFile {
    seed: u64,
    start_ms: i64,
    now_ms: i64,
    back_filled: bool,
}

/// Runs the demo until it is stopped, or until `--exit-after`. `say` prints to the person.
///
/// # Errors
/// What keeps the server from starting, or the fleet from being fed.
pub async fn run(args: &DemoArgs, say: impl Fn(&str)) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let files = write_files(&args.data_dir)?;
    let mut config = Config::load(&files.config)?;
    config.server.http_listen = args.http_listen.clone();
    config.server.grpc_listen = args.grpc_listen.clone();
    config.server.postgres_listen = args.postgres_listen.clone();
    // The fleet is older than any retention that a user would think of here.
    config.storage.retention_ms = None;
    let mut remembered = FleetFile::load_or_begin(args, clock.now())?;
    let (start, now) = (TimestampMs(remembered.start_ms), TimestampMs(remembered.now_ms));
    let fleet = Arc::new(Fleet::new(remembered.seed, start, now));

    let mut server = Server::start(config, &args.data_dir, Arc::clone(&clock)).await?;
    let http = server
        .http_address()
        .context("the demo feeds itself over HTTP: --http-listen cannot be off")?;
    let feeder = Feeder::new(Arc::clone(&fleet), &http.to_string(), Arc::clone(&clock))?;
    if !remembered.back_filled {
        say(&format!(
            "feeding {} days of {} series by remote write ...",
            args.days,
            fleet.series().len()
        ));
        let fed = feeder.back_fill(BACK_FILL_STEP_MS).await?;
        say(&format!(
            "{} samples in {:.1} s, each request synced to disk",
            fed.samples,
            fed.took_ms as f64 / 1e3
        ));
        remembered.back_filled = true;
        remembered.save(&args.data_dir)?;
    }
    // What watches the data begins when there is something to watch: the history first, whole.
    server.start_watching()?;
    let stop = CancellationToken::new();
    let live = tokio::spawn({
        let stop = stop.clone();
        async move { feeder.live(LIVE_STEP_MS, stop).await }
    });
    let grpc = server.grpc_address().map(|address| address.to_string());
    let tour = Tour::new(fleet, files, &http.to_string(), grpc.as_deref())?;
    say(&tour.welcome());
    // Not before the history is fed: until then a signal may end the demo at once.
    let mut signals = Signals::listen()?;
    let outcome = tokio::select! {
        () = signals.until_stopped(&server) => Ok(()),
        () = exit_after(args.exit_after_ms) => Ok(()),
        failed = guide(&server, &tour, clock.as_ref(), &say) => failed,
    };
    stop.cancel();
    let fed = live.await.context("the feeder")?;
    server.stop().await?;
    fed?;
    outcome
}

/// Shows what was caught: of the history once the detectors have learned, of the live incident a minute later. Then
/// waits for ever.
async fn guide(server: &Server, tour: &Tour, clock: &dyn Clock, say: &impl Fn(&str)) -> anyhow::Result<()> {
    let caught_up = async {
        while !server.detectors_caught_up() {
            tokio::time::sleep(CATCH_UP_POLL).await;
        }
    };
    if tokio::time::timeout(CATCH_UP, caught_up).await.is_err() {
        say("the detectors still learn from the history; the list below may be short");
    }
    say(&tour.report(clock.now()).await?);
    tokio::time::sleep(LIVE_REPORT_AFTER).await;
    say("a minute later:\n");
    say(&tour.report(clock.now()).await?);
    std::future::pending().await
}

async fn exit_after(after_ms: Option<i64>) {
    match after_ms.map(i64::unsigned_abs) {
        Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
}

impl FleetFile {
    fn load_or_begin(args: &DemoArgs, now: TimestampMs) -> anyhow::Result<Self> {
        let path = args.data_dir.join(FLEET_FILE);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let file: Self = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is not readable", path.display()))?;
                if file.seed != args.seed {
                    bail!(
                        "{} holds the fleet of seed {}; start it with --seed {}, or give another --data-dir",
                        args.data_dir.display(),
                        file.seed,
                        file.seed
                    );
                }
                Ok(file)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let now = now.align(BACK_FILL_STEP_MS);
                let start = now.saturating_add(-i64::from(args.days) * 86_400_000);
                let file = Self {
                    seed: args.seed,
                    start_ms: start.0,
                    now_ms: now.0,
                    back_filled: false,
                };
                file.save(&args.data_dir)?;
                Ok(file)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(FLEET_FILE);
        let json = serde_json::to_vec_pretty(self)?;
        std::fs::write(&path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}
