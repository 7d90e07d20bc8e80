//! `rate`, `increase` and `delta`, as PromQL has them, for groups and for window frames.
//!
//! `increase(value, ts)` is over all rows of the group, from the first to the last, with nothing added at the edges.
//! `increase(value, ts, width)` is PromQL's over the window of that width that ends at the last row: in
//! `OVER (ORDER BY ts RANGE BETWEEN INTERVAL '5 minutes' PRECEDING AND CURRENT ROW)` at each row. `increase(value, ts, width, end)`
//! is PromQL's at `end`: rows of the group outside `end - width < ts <= end` do not count.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimestampMillisecondType};
use barograph_promql::{Rise, rise_over_window};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use super::time_bucket::width_ms;
use super::window_samples::WindowSamples;
use crate::sql::error::{SqlError, SqlErrorCode};
use crate::sql::samples::timestamp_type;

/// One of the three.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RiseFunction {
    kind: Rise,
    signature: Signature,
}

impl RiseFunction {
    pub(super) fn new(kind: Rise) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { kind, signature }
    }
}

fn name_of(kind: Rise) -> &'static str {
    match kind {
        Rise::Rate => "rate",
        Rise::Increase => "increase",
        Rise::Delta => "delta",
    }
}

impl AggregateUDFImpl for RiseFunction {
    fn name(&self) -> &str {
        name_of(self.kind)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = name_of(self.kind);
        let wrong = |what: String| -> DataFusionError {
            SqlError::new(SqlErrorCode::Unsupported, format!("{name} {what}"))
                .with_hint(format!(
                    "{name}(value, ts), {name}(value, ts, '5m') or {name}(value, ts, '5m', end)"
                ))
                .into()
        };
        if !(2..=4).contains(&types.len()) {
            return Err(wrong(format!("takes 2 to 4 arguments, not {}", types.len())));
        }
        let mut coerced = Vec::with_capacity(types.len());
        for (i, data_type) in types.iter().enumerate() {
            let is_instant = matches!(
                data_type,
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
            );
            coerced.push(match (i, data_type) {
                (0, other) if other.is_numeric() || other.is_null() => DataType::Float64,
                (0, other) => return Err(wrong(format!("is of numbers, not of {other}"))),
                (1 | 3, other) if is_instant || other.is_null() => timestamp_type(),
                (3, other) if other.is_string() => timestamp_type(),
                (1 | 3, other) => return Err(wrong(format!("needs an instant where {other} stands"))),
                (_, DataType::Interval(_)) => DataType::Interval(IntervalUnit::MonthDayNano),
                (_, other) if other.is_string() || other.is_null() => DataType::Utf8,
                (_, other) => return Err(wrong(format!("needs a width such as '5m', not {other}"))),
            });
        }
        Ok(coerced)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(RiseAccumulator {
            kind: self.kind,
            samples: WindowSamples::default(),
            arguments: args.exprs.len(),
            width_ms: None,
            end_ms: None,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let mut fields = WindowSamples::state_fields(args.name).to_vec();
        for part in ["width", "end"] {
            let field = Field::new(format!("{}[{part}]", args.name), DataType::Int64, true);
            fields.push(Arc::new(field));
        }
        Ok(fields)
    }
}

#[derive(Debug)]
struct RiseAccumulator {
    kind: Rise,
    samples: WindowSamples,
    /// How many the function was called with.
    arguments: usize,
    /// Once a row has told it.
    width_ms: Option<i64>,
    end_ms: Option<i64>,
}

impl RiseAccumulator {
    fn wrong(&self, what: &str) -> DataFusionError {
        SqlError::new(
            SqlErrorCode::Unsupported,
            format!("{} {what}", name_of(self.kind)),
        )
        .into()
    }

    /// The same for all rows of a group, or an error.
    fn agree(&self, known: Option<i64>, found: Option<i64>, what: &str) -> Result<Option<i64>> {
        match (known, found) {
            (Some(known), Some(found)) if known != found => {
                Err(self.wrong(&format!("has one {what} for all rows of a group")))
            }
            (known, found) => Ok(known.or(found)),
        }
    }

    fn take_window(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if let Some(widths) = columns.get(2).filter(|widths| !widths.is_empty()) {
            let first = width_ms(&ScalarValue::try_from_array(widths, 0)?)
                .map_err(|_| self.wrong("needs a width of a fixed length, such as '5m'"))?;
            self.width_ms = self.agree(self.width_ms, first, "width")?;
        }
        if let Some(ends) = columns.get(3) {
            let ends = ends
                .as_primitive_opt::<TimestampMillisecondType>()
                .ok_or_else(|| self.wrong("ends at an instant"))?;
            for end in ends.iter().flatten() {
                self.end_ms = self.agree(self.end_ms, Some(end), "end")?;
            }
        }
        Ok(())
    }
}

impl Accumulator for RiseAccumulator {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.take_window(columns)?;
        match columns {
            [values, ts, ..] => self.samples.add(values, ts),
            _ => Err(self.wrong("takes a value and an instant")),
        }
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        match columns {
            [values, ts, ..] => self.samples.remove(values, ts),
            _ => Err(self.wrong("takes a value and an instant")),
        }
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let newest = self.samples.newest();
        let (start, end) = match (self.arguments, self.width_ms, newest) {
            (2, _, Some(newest)) => {
                let oldest = self.samples.oldest().unwrap_or(newest);
                // The window begins just before the first row and ends with the last, so that nothing is added to either side.
                let (ts, values) = self.samples.within(oldest.saturating_sub(1), newest);
                return Ok(ScalarValue::Float64(rise_between(self.kind, &ts, &values)));
            }
            (_, Some(width), Some(newest)) => {
                let end = match self.arguments {
                    4 => self.end_ms,
                    _ => Some(newest),
                };
                match end {
                    Some(end) => (end.saturating_sub(width), end),
                    None => return Ok(ScalarValue::Float64(None)),
                }
            }
            _ => return Ok(ScalarValue::Float64(None)),
        };
        let (ts, values) = self.samples.within(start, end);
        Ok(ScalarValue::Float64(rise_over_window(
            self.kind, &ts, &values, start, end,
        )))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.samples.heap_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = self.samples.state().to_vec();
        state.push(ScalarValue::Int64(self.width_ms));
        state.push(ScalarValue::Int64(self.end_ms));
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [ts, values, widths, ends] = states else {
            return Err(DataFusionError::Internal(
                "a partial state of other columns".to_owned(),
            ));
        };
        for row in 0..widths.len() {
            let number = |array: &ArrayRef| match ScalarValue::try_from_array(array, row) {
                Ok(ScalarValue::Int64(number)) => number,
                _ => None,
            };
            self.width_ms = self.agree(self.width_ms, number(widths), "width")?;
            self.end_ms = self.agree(self.end_ms, number(ends), "end")?;
        }
        self.samples.merge(ts, values)
    }
}

/// From the first row to the last, with nothing added at the edges.
fn rise_between(kind: Rise, ts: &[i64], values: &[f64]) -> Option<f64> {
    let ([first, .., last], [_, .., _]) = (ts, values) else {
        return None;
    };
    // Where the window is as wide as its samples, the factor is that of a rate or 1.
    rise_over_window(kind, ts, values, *first, *last)
}
