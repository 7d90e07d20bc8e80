//! From a raw departure to a p-value, and from p-values to alarms at a target of false alarms a day.
//!
//! The chain is: a detector's raw departure (how many robust sigmas, how much residual energy) -> [`Tail`],
//! which has seen the departures of the past and says how rare this one is -> score `-log10(p)` -> [`Alarm`],
//! which holds p against the level that the target implies.

mod alarm;
mod suspicion;
mod tail;

pub(crate) use alarm::{Alarm, lesson_weight, score};
pub(crate) use suspicion::Suspicion;
pub(crate) use tail::Tail;
