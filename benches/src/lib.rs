//! What the benches share: a load of remote write, the programs it is sent to, and tables.
//!
//! Invariants:
//! - what is measured is the release binary over loopback, or a library through its public functions;
//! - everything that can be prepared is prepared before a clock starts;
//! - a figure is the median of several runs, and the others that ran beside it stand beside it.

mod bodies;
mod connection;
mod contestant;
mod drive;
mod fleet;
mod process;
mod stopwatch;
mod table;
mod values;

pub use bodies::{Bodies, BodiesPlan};
pub use connection::Connection;
pub use contestant::{Contestant, Kind};
pub use drive::{Drive, drive};
pub use fleet::series_labels;
pub use process::{Running, bytes_on_disk};
pub use stopwatch::Stopwatch;
pub use table::{Table, median, rounded};
pub use values::Values;
