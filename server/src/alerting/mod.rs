//! Alerting as it runs: rules are loaded and evaluated, the hub keeps the state, the worker delivers.

mod delivery;
mod detector_outcome;
mod evaluator;
mod hub;
mod rules;
mod sql_outcome;
mod tables;

#[cfg(test)]
pub(crate) mod test_hub;

pub use delivery::{DeliveryOptions, deliver};
pub use evaluator::Evaluator;
pub use hub::{ALERTS_DIR, AlertHub, FoundDamage, HubError, check_contents};
pub use rules::{LoadError, load_rules};
pub use tables::alert_tables;
