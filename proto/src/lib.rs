//! Wire messages and services, generated from the `.proto` files of this crate by `cargo xtask codegen` and
//! committed, so that a build needs no `protoc`.
//!
//! Invariants:
//! - nothing here is written by hand except this file; `cargo xtask tidy` compares the rest with what the
//!   `.proto` files give;
//! - `unsafe`, I/O and decisions live elsewhere: these are shapes.

/// The subscription to alerts: [`v1::alerts_server`], [`v1::alerts_client`] and their messages.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod v1 {
    include!("generated/barograph.v1.rs");
}

/// Remote write 1.0 as a sender needs it: [`prometheus::WriteRequest`] and what is in it.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod prometheus {
    include!("generated/prometheus.rs");
}
