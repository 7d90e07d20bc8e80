//! How good a detector is, against labels.
//!
//! Three questions, three measures, none of them point-adjusted (under point adjustment random scores reach
//! an F1 of 0.9): how well do the scores rank ([`vus_pr`]), which incidents ring the bell and how often does
//! it ring for nothing ([`events()`]), and does the single highest score fall on the incident ([`top_hit`]).

mod events;
mod vus;

pub use events::{EventReport, events, runs, top_hit};
pub use vus::{range_auc_pr, vus_pr};
