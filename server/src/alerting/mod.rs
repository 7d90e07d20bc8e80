//! Alerting as it runs: the hub that keeps its state, and the worker that delivers.

mod delivery;
mod hub;

pub use delivery::{DeliveryOptions, deliver};
pub use hub::{AlertHub, HubError};
