//! Tests of the program from outside. One binary for all of them, because each links everything.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for other processes, by the wall clock"
)]

mod alerting;
mod cli;
mod durability;
mod lifecycle;
mod limits;
mod program;
mod prometheus;
