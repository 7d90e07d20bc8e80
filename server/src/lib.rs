//! The rooms of the Barograph program: its edges, and what joins them to the store.
//!
//! Data flows one way: [`ingest`] -> the store -> [`detecting`] -> the store -> [`alerting`] -> [`channels`] and
//! [`grpc`]. [`api`] and [`cli`] ask; [`compose`] puts everything together.

pub mod cli;
pub mod compose;
pub mod config;
pub mod demo;
pub mod serve;

pub mod alerting;
pub mod api;
pub mod channels;
pub mod damage_table;
pub mod detecting;
pub mod flight;
pub mod grpc;
pub mod http;
pub mod ingest;
pub mod logging;
pub mod memory;
pub mod postgres;
pub mod query_log;
pub mod tenants;
