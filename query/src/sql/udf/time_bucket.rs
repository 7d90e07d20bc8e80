//! `time_bucket(width, ts)`: the start of the interval that holds an instant.
//!
//! Intervals are aligned to 1970-01-01 00:00:00 UTC, before it as well as after, so a bucket of a week begins on
//! a Thursday. The width is an interval (`INTERVAL '5 minutes'`) or a text (`'5m'`, `'1h30m'`); months and years
//! have no fixed length and are refused.

use std::sync::Arc;

use arrow::array::{Array, AsArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit, TimestampMillisecondType};
use barograph_model::{TimestampMs, parse_duration_ms};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::sql::error::{SqlError, SqlErrorCode};
use crate::sql::samples::timestamp_type;

const DAY_MS: i64 = 86_400_000;

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
            ] => Ok(timestamp_type()),
            [DataType::Interval(_) | DataType::Utf8, other] => Err(unusable(format!(
                "time_bucket puts instants into buckets, not {other}"
            ))),
            [other, _] => Err(unusable(format!(
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
        let [width, instant] = types else {
            return Ok(types.to_vec());
        };
        let width = match width {
            DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
            other => other.clone(),
        };
        let instant = match instant {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null => {
                timestamp_type()
            }
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => timestamp_type(),
            other => other.clone(),
        };
        Ok(vec![width, instant])
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
        let [width, instant] = args.args.as_slice() else {
            return Err(unusable("time_bucket takes a width and an instant".to_owned()));
        };
        let ColumnarValue::Scalar(width) = width else {
            return Err(unusable(
                "the width of a time_bucket is the same in all rows".to_owned(),
            ));
        };
        let Some(width_ms) = width_ms(width)? else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_new_null(
                &timestamp_type(),
            )?));
        };
        match instant {
            ColumnarValue::Scalar(ScalarValue::TimestampMillisecond(instant, zone)) => {
                let start = instant.map(|instant| TimestampMs(instant).align(width_ms).0);
                Ok(ColumnarValue::Scalar(ScalarValue::TimestampMillisecond(
                    start,
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
                let starts: TimestampMillisecondArray =
                    instants.unary(|instant| TimestampMs(instant).align(width_ms).0);
                Ok(ColumnarValue::Array(Arc::new(starts.with_timezone("UTC"))))
            }
            other => Err(unusable(format!(
                "time_bucket puts instants into buckets, not {}",
                other.data_type()
            ))),
        }
    }
}

/// The width in whole milliseconds; `None` for NULL.
fn width_ms(width: &ScalarValue) -> Result<Option<i64>> {
    let ms = match width {
        ScalarValue::Utf8(None) | ScalarValue::IntervalMonthDayNano(None) => return Ok(None),
        ScalarValue::Utf8(Some(text)) => parse_duration_ms(text.trim())
            .map_err(|error| unusable(format!("the width of a time_bucket: {error}")))?,
        ScalarValue::IntervalMonthDayNano(Some(width)) if width.months != 0 => {
            let message = "a time_bucket of months or years has no fixed length".to_owned();
            let hint = "date_trunc('month', ts) cuts by the calendar";
            return Err(SqlError::new(SqlErrorCode::Unsupported, message)
                .with_hint(hint)
                .into());
        }
        ScalarValue::IntervalMonthDayNano(Some(width)) if width.nanoseconds % 1_000_000 != 0 => {
            return Err(unusable(
                "the width of a time_bucket is a whole number of milliseconds".to_owned(),
            ));
        }
        ScalarValue::IntervalMonthDayNano(Some(width)) => {
            i64::from(width.days) * DAY_MS + width.nanoseconds / 1_000_000
        }
        other => {
            return Err(unusable(format!(
                "the width of a time_bucket is not {}",
                other.data_type()
            )));
        }
    };
    if ms <= 0 {
        return Err(unusable(
            "the width of a time_bucket is longer than nothing".to_owned(),
        ));
    }
    Ok(Some(ms))
}
