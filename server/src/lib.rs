//! The rooms of the Barograph program: its edges, and what joins them to the store.

pub mod alerting;
pub mod channels;
pub mod cli;
pub mod config;
pub mod grpc;
pub mod http;
pub mod ingest;
