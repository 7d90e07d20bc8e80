//! Tests of the program from outside. One binary for all of them, because each links everything.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for other processes, by the wall clock"
)]

mod alerting;
mod backup;
mod cli;
mod damage;
mod differential;
mod durability;
mod flight;
mod gate;
mod import;
mod lifecycle;
mod limits;
mod native_histograms;
mod ports;
mod postgres;
mod program;
mod prometheus;
mod promql;
mod readers;
mod s3;
mod snapshot;
