//! What the benches share: workloads of remote write, the programs they are sent to, and tables.
//!
//! Invariants:
//! - what is measured is the release binary over loopback, or a library through its public functions;
//! - everything that can be prepared is prepared before a clock starts;
//! - a figure is the median of several runs, and the others that ran beside it stand beside it;
//! - a figure of a program that has not kept what it acknowledged is not shown, nor is one of a program that answers
//!   otherwise than the others without that being said beside it.

mod workload;

mod contestant;
mod life;
mod process;
mod stopwatch;

mod asking;
mod connection;
mod parity;
mod queries;
mod send;
mod visible;

mod asked;

mod crash;
mod disk;
mod image;
mod settle;

mod compare;
mod figures;
mod table;

pub use asked::{
    DashboardProcedure, QueryPart, QueryProcedure, QueryScores, contest, dashboards, drop_cached,
    geometric_means,
};
pub use compare::{Procedure, compare};
pub use contestant::{Contestant, Kind, Language};
pub use figures::{Comparison, Figures};
pub use image::with_own_mounts;
pub use stopwatch::Stopwatch;
pub use table::{Table, median, rounded};
pub use workload::{Bodies, Extent, Subject, Values, Workload, WorkloadName, series_labels};
