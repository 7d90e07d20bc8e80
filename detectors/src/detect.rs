//! A detector over a whole table: what `barograph detect` runs.
//!
//! Causal: the detector is fed row after row, exactly as a running system would. Offline: it is fed the whole
//! table once to learn, then once more, and the second pass's verdicts count.

use barograph_model::TimestampMs;

use crate::detector::{Context, Detector, Verdict, build};
use crate::error::DetectorError;
use crate::params::Params;
use crate::table::{Mode, Table};

/// The distance of rows that carry no time.
pub(crate) const ROW_MS: i64 = 60_000;

/// Judges every row of a table; one entry a row, in the order of the rows, None where there is no opinion.
///
/// `detector` is a name that [`build`] knows, or `auto`. The first `train_rows` rows are history without known
/// faults. Rows without time are taken to be a minute apart; this matters for `alarms_per_day` only.
///
/// # Errors
/// A table without columns or with columns of different length, an unknown detector or parameter.
pub fn detect(
    table: &Table,
    detector: &str,
    mode: Mode,
    train_rows: usize,
    params: &Params,
) -> Result<Vec<Option<Verdict>>, DetectorError> {
    table.check()?;
    let _ = train_rows;
    let step_ms = table.step_ms().unwrap_or(ROW_MS);
    let context = Context {
        width: table.columns.len(),
        step_ms,
    };
    let name = if detector == "auto" { "seasonal" } else { detector };
    let mut model = build(name, params, &context)?;
    if mode == Mode::Offline {
        feed(table, step_ms, model.as_mut());
    }
    Ok(feed(table, step_ms, model.as_mut()))
}

fn feed(table: &Table, step_ms: i64, model: &mut dyn Detector) -> Vec<Option<Verdict>> {
    let mut values = Vec::with_capacity(table.columns.len());
    (0..table.rows())
        .map(|row| {
            table.row_into(row, &mut values);
            let ts = table
                .time_ms
                .as_ref()
                .map_or(row as i64 * step_ms, |time_ms| time_ms[row]);
            model.observe(TimestampMs(ts), &values)
        })
        .collect()
}
