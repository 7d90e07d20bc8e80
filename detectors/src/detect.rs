//! A detector over a whole table: what `barograph detect` runs.
//!
//! Causal: the detector is fed row after row, exactly as a running system would. Offline: it is fed the whole
//! table once to learn, then once more, and the second pass's verdicts count.

use barograph_model::TimestampMs;

use crate::calibrate::{Alarm, Tail, score};
use crate::detector::{Context, Detector, Verdict, build};
use crate::error::DetectorError;
use crate::params::Params;
use crate::table::{Mode, Table};

/// Rows of a stretch that an offline verdict looks at.
const STRETCH_ROWS: usize = 64;
/// The distance of rows that carry no time.
pub(crate) const ROW_MS: i64 = 60_000;

/// Judges every row of a table; one entry a row, in the order of the rows, None where there is no opinion.
///
/// `detector` is a name that [`build`] knows, or `auto`. The first `train_rows` rows are history without known
/// faults: they are scored and learned like all others, but never an anomaly. Rows without time are taken to be a minute apart; this matters for `alarms_per_day` only.
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
    let step_ms = table.step_ms().unwrap_or(ROW_MS);
    let context = Context {
        width: table.columns.len(),
        step_ms,
    };
    let mut model = build(detector, params, &context)?;
    if mode == Mode::Offline {
        feed(table, step_ms, model.as_mut());
    }
    let mut verdicts = feed(table, step_ms, model.as_mut());
    if mode == Mode::Offline {
        stretch(&mut verdicts, Alarm::new(params, step_ms)?);
    }
    // What is known to be clean is no anomaly, however rare it looks.
    for verdict in verdicts.iter_mut().take(train_rows).flatten() {
        verdict.is_anomaly = false;
    }
    Ok(verdicts)
}

/// Judges each row also by the stretch that begins with it, as only a look back can: a shape that is a little
/// odd for an hour is rarer than its oddest minute. The stretch's mean score gets its own p-value among all
/// stretches of the table; the smaller of both p-values counts, doubled.
fn stretch(verdicts: &mut [Option<Verdict>], mut alarm: Alarm) {
    let rows = verdicts.len();
    let mut sums = vec![0.0; rows + 1];
    for (row, verdict) in verdicts.iter().enumerate() {
        sums[row + 1] = sums[row] + verdict.map_or(0.0, |verdict| verdict.score);
    }
    let means: Vec<f64> = (0..rows)
        .map(|row| {
            let end = (row + STRETCH_ROWS).min(rows);
            (sums[end] - sums[row]) / (end - row) as f64
        })
        .collect();
    let mut tail = Tail::new();
    for mean in &means {
        tail.learn(*mean, 1.0);
    }
    tail.refit();
    for (verdict, mean) in verdicts.iter_mut().zip(&means) {
        let Some(verdict) = verdict else { continue };
        let own = 10f64.powf(-verdict.score);
        let p = (2.0 * own.min(tail.p(*mean))).min(1.0);
        verdict.score = score(p);
        verdict.is_anomaly = alarm.ring(p);
    }
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
