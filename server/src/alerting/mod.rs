//! Alerting as it runs: rules are loaded and evaluated, the hub keeps what follows, the worker delivers it.

mod rules;

mod detector_outcome;
mod evaluator;
mod sql_outcome;

mod hub;
mod tables;

mod delivery;

#[cfg(test)]
pub(crate) mod test_hub;

pub use delivery::{DeliveryOptions, deliver};
pub use evaluator::Evaluator;
pub use hub::{AlertHub, HubError};
pub use rules::{LoadError, load_rules};
pub use tables::alert_tables;
