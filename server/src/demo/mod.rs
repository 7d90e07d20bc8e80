//! The parts of `barograph demo`: a seeded fleet fed through the ordinary ingest path, the configuration that
//! watches it, and the words that show a newcomer around.
//!
//! Invariants:
//! - the fleet enters by `POST /api/v1/write` and is looked at by `POST /api/v1/sql`, like anybody's data: nothing
//!   here touches the store;
//! - configuration and rules are ordinary files in the demo's data directory; what the user edited stays.

mod body;
mod catches;
mod config;
mod feeder;
mod progress;
mod run;
mod sender;
mod tour;

#[cfg(test)]
mod sql_tests;

pub use body::{Body, BodyEncoder};
pub use catches::TourError;
pub use config::{DemoFiles, WriteError, write_files};
pub use feeder::{Fed, Feeder};
pub use run::run;
pub use sender::FeedError;
pub use tour::{QUERIES, Tour};

/// The distance of scrapes in the past.
pub const BACK_FILL_STEP_MS: i64 = 60_000;
/// The distance of scrapes from now on.
pub const LIVE_STEP_MS: i64 = 5_000;
