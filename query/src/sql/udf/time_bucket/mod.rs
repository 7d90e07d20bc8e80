//! `time_bucket(width, ts [, zone | origin | offset])`: the start of the interval that holds an instant.
//!
//! Intervals are aligned to 1970-01-01 00:00:00 UTC, before it as well as after, so a bucket of a week begins on a Thursday. A
//! third argument moves them: an instant at which one begins, an interval by which they begin later, or the name of a time zone,
//! whose clock and calendar then count: days begin at its midnight, also where a day has 23 or 25 hours. Months and years are of
//! the calendar.

mod grid;
mod width;

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, AsArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit, TimestampMillisecondType};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::sql::error::{SqlError, SqlErrorCode};
use crate::sql::samples::timestamp_type;
use grid::Grid;
use width::Width;
pub(crate) use width::width_ms;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct TimeBucket {
    signature: Signature,
}

impl TimeBucket {
    pub(crate) fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

fn unusable(message: String) -> DataFusionError {
    SqlError::new(SqlErrorCode::Unsupported, message)
        .with_hint("time_bucket(INTERVAL '5 minutes', ts) or time_bucket('5m', ts)")
        .into()
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [
                DataType::Interval(_) | DataType::Utf8,
                DataType::Timestamp(TimeUnit::Millisecond, _),
            ]
            | [
                DataType::Interval(_) | DataType::Utf8,
                DataType::Timestamp(TimeUnit::Millisecond, _),
                DataType::Interval(_) | DataType::Utf8 | DataType::Timestamp(TimeUnit::Millisecond, _),
            ] => Ok(timestamp_type()),
            [
                DataType::Interval(_) | DataType::Utf8,
                DataType::Timestamp(TimeUnit::Millisecond, _),
                other,
            ] => Err(unusable(format!(
                "the third argument of time_bucket is a time zone, an instant or an interval, not {other}"
            ))),
            [DataType::Interval(_) | DataType::Utf8, other, ..] => Err(unusable(format!(
                "time_bucket puts instants into buckets, not {other}"
            ))),
            [other, _, ..] => Err(unusable(format!(
                "the width of a time_bucket is an interval or a text, not {other}"
            ))),
            other => Err(unusable(format!(
                "time_bucket takes a width and an instant, not {} arguments",
                other.len()
            ))),
        }
    }

    /// What cannot be converted stays, for [`ScalarUDFImpl::return_type`] to refuse: it is the one whose words
    /// reach the reader.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (Some(width), Some(instant), true) = (types.first(), types.get(1), types.len() <= 3) else {
            return Ok(types.to_vec());
        };
        let width = match width {
            DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
            other => other.clone(),
        };
        let instant = match instant {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null => {
                timestamp_type()
            }
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => timestamp_type(),
            other => other.clone(),
        };
        let third = types.get(2).map(|third| match third {
            DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => timestamp_type(),
            DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
            other => other.clone(),
        });
        Ok([width, instant].into_iter().chain(third).collect())
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        // With one width for all rows, later instants never fall into earlier buckets.
        match inputs {
            [width, instant] if width.sort_properties == SortProperties::Singleton => {
                Ok(instant.sort_properties)
            }
            _ => Ok(SortProperties::Unordered),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (Some(width), Some(instant)) = (args.args.first(), args.args.get(1)) else {
            return Err(unusable("time_bucket takes a width and an instant".to_owned()));
        };
        let Some(grid) = grid(constant(width)?, args.args.get(2).map(constant).transpose()?)? else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_new_null(
                &timestamp_type(),
            )?));
        };
        match instant {
            ColumnarValue::Scalar(ScalarValue::TimestampMillisecond(instant, zone)) => {
                Ok(ColumnarValue::Scalar(ScalarValue::TimestampMillisecond(
                    instant.map(|instant| grid.begin(instant)),
                    zone.clone(),
                )))
            }
            ColumnarValue::Array(instants)
                if matches!(
                    instants.data_type(),
                    DataType::Timestamp(TimeUnit::Millisecond, _)
                ) =>
            {
                let instants = instants.as_primitive::<TimestampMillisecondType>();
                let starts: TimestampMillisecondArray = instants.unary(|instant| grid.begin(instant));
                Ok(ColumnarValue::Array(Arc::new(starts.with_timezone("UTC"))))
            }
            other => Err(unusable(format!(
                "time_bucket puts instants into buckets, not {}",
                other.data_type()
            ))),
        }
    }
}

fn constant(value: &ColumnarValue) -> Result<&ScalarValue> {
    match value {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(_) => Err(unusable(
            "the width of a time_bucket, and what moves it, are the same in all rows".to_owned(),
        )),
    }
}

/// The grid that the constants describe; `None` where one of them is NULL.
fn grid(width: &ScalarValue, third: Option<&ScalarValue>) -> Result<Option<Grid>> {
    let Some(width) = Width::of(width)? else {
        return Ok(None);
    };
    let mut grid = Grid {
        width,
        origin_ms: 0,
        zone: None,
    };
    match third {
        None => {}
        Some(ScalarValue::TimestampMillisecond(Some(origin), _)) => grid.origin_ms = *origin,
        Some(ScalarValue::Utf8(Some(text))) => match text.parse::<Tz>() {
            Ok(zone) => grid.zone = Some(zone),
            Err(_) => {
                let origin = chrono::DateTime::parse_from_rfc3339(text)
                    .map_err(|_| unusable(format!("{text:?} is neither a time zone nor an instant")))?;
                grid.origin_ms = origin.timestamp_millis();
            }
        },
        Some(ScalarValue::IntervalMonthDayNano(Some(offset))) if offset.months == 0 => {
            grid.origin_ms = i64::from(offset.days) * 86_400_000 + offset.nanoseconds / 1_000_000;
        }
        Some(ScalarValue::IntervalMonthDayNano(Some(_))) => {
            return Err(unusable(
                "the offset of a time_bucket is of days or less".to_owned(),
            ));
        }
        Some(_) => return Ok(None),
    }
    Ok(Some(grid))
}
