//! Alert rules, their state machine, the event log and the outbox. Pure: `plan(now, results) -> Transaction`.
//!
//! Nothing here does I/O, reads a clock or knows how a rule's query is answered. The caller evaluates a rule,
//! asks [`AlertStore::plan`] what follows from the answer, writes the [`Transaction`] to its journal, and only
//! then calls [`AlertStore::apply`]. A crash between any two of these steps loses nothing that was announced:
//! recovery is the last checkpoint and the transactions after it, and gives the same state to the bit.
//!
//! Invariants:
//! - event numbers (`seq`) are dense and count up from 1 over the life of a store;
//! - an alert never fires before the rule's `for` has passed, and each firing has one resolution or is still
//!   firing; a failed evaluation never resolves anything;
//! - for one alert and one channel, events are handed out in order, each until it is known to have arrived or
//!   was given up for dead, always with the same idempotency key;
//! - every collection has a limit, and reaching it is announced.

mod rule;
mod rule_file;
mod source;
mod template;

mod detector_query;
mod finding;

mod alert;
mod announcement;
mod evaluator;
mod rule_edit;
mod rule_state;

mod event;
mod event_log;
mod filter;
mod filter_parser;
mod fingerprint;
mod number;

mod backoff;
mod delivery;
mod outbox;

mod draft;
mod options;
mod store;
mod transaction;

mod error;

pub use alert::{ActiveAlert, AlertState, RuleHealth};
pub use delivery::Delivery;
pub use detector_query::{DetectorQuery, SeriesVerdicts, VerdictPoint};
pub use error::{FilterError, RuleError, StoreError};
pub use event::{Event, EventKind};
pub use event_log::{EventsAfter, Gap};
pub use filter::EventFilter;
pub use finding::{Finding, Outcome};
pub use options::{DeliveryPolicy, Limits, Options, Route};
pub use outbox::{Entry, EntryState, Progress};
pub use rule::{Group, Rule, RuleQuery, RuleSet};
pub use store::AlertStore;
pub use template::{Template, TemplateError};
pub use transaction::Transaction;
