//! Parts of a date, in UTC, of seconds since the epoch.

use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::Grid;
use crate::syntax::FunctionId;
use crate::value::{Column, is_absent};

/// What is asked of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Minute,
    Hour,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    DaysInMonth,
    Month,
    Year,
}

/// The part that a function is about.
pub(super) fn part(id: FunctionId) -> Option<Part> {
    Some(match id {
        FunctionId::Minute => Part::Minute,
        FunctionId::Hour => Part::Hour,
        FunctionId::DayOfWeek => Part::DayOfWeek,
        FunctionId::DayOfMonth => Part::DayOfMonth,
        FunctionId::DayOfYear => Part::DayOfYear,
        FunctionId::DaysInMonth => Part::DaysInMonth,
        FunctionId::Month => Part::Month,
        FunctionId::Year => Part::Year,
        _ => return None,
    })
}

/// The part of an instant; NaN where there is no such date.
pub(super) fn part_of(part: Part, seconds: f64) -> f64 {
    if !seconds.is_finite() {
        return f64::NAN;
    }
    // Fractions are cut off towards zero, as a conversion to an integer does.
    let Some(date) = DateTime::<Utc>::from_timestamp(seconds as i64, 0) else {
        return f64::NAN;
    };
    match part {
        Part::Minute => f64::from(date.minute()),
        Part::Hour => f64::from(date.hour()),
        Part::DayOfWeek => f64::from(date.weekday().num_days_from_sunday()),
        Part::DayOfMonth => f64::from(date.day()),
        Part::DayOfYear => f64::from(date.ordinal()),
        Part::DaysInMonth => f64::from(date.num_days_in_month()),
        Part::Month => f64::from(date.month()),
        Part::Year => f64::from(date.year()),
    }
}

/// `timestamp` of what was calculated: the step's own instant wherever there is a sample.
pub(super) fn timestamps(column: &mut Column, grid: Grid) {
    for (step, ts) in grid.iter().enumerate() {
        if column.has(step) {
            column.clear(step);
            column.floats[step] = ts as f64 / 1000.0;
        }
    }
    debug_assert!(
        column
            .floats
            .iter()
            .all(|value| is_absent(*value) || value.is_finite())
    );
}
