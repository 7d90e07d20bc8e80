//! What table functions are called with: constants.

use barograph_model::parse_duration_ms;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::Expr;

use super::time_bucket::width_ms;
use crate::sql::error::{SqlError, SqlErrorCode};

/// The arguments of one call.
pub(super) struct Arguments<'a> {
    /// The function and how it is called, for messages.
    name: &'static str,
    usage: &'static str,
    values: Vec<&'a ScalarValue>,
}

impl<'a> Arguments<'a> {
    /// Takes constants, as many as `least` to `most`.
    pub(super) fn new(
        name: &'static str,
        usage: &'static str,
        exprs: &'a [Expr],
        least: usize,
        most: usize,
    ) -> Result<Self> {
        let mut arguments = Self {
            name,
            usage,
            values: Vec::with_capacity(exprs.len()),
        };
        for expr in exprs {
            match expr {
                Expr::Literal(value, _) => arguments.values.push(value),
                other => return Err(arguments.wrong(&format!("takes constants, not {other}"))),
            }
        }
        if !(least..=most).contains(&exprs.len()) {
            let message = format!("takes {least} to {most} arguments, not {}", exprs.len());
            return Err(arguments.wrong(&message));
        }
        Ok(arguments)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// An error about the call.
    pub(super) fn wrong(&self, what: &str) -> DataFusionError {
        SqlError::new(SqlErrorCode::Unsupported, format!("{} {what}", self.name))
            .with_hint(self.usage)
            .into()
    }

    /// A text.
    pub(super) fn text(&self, place: usize) -> Result<&'a str> {
        match self.values.get(place) {
            Some(
                ScalarValue::Utf8(Some(text))
                | ScalarValue::Utf8View(Some(text))
                | ScalarValue::LargeUtf8(Some(text)),
            ) => Ok(text),
            _ => Err(self.wrong(&format!("needs a text as argument {}", place + 1))),
        }
    }

    /// An instant: a timestamp, RFC 3339 as text, or seconds since the epoch.
    pub(super) fn instant_ms(&self, place: usize) -> Result<i64> {
        let wrong = || self.wrong(&format!("needs an instant as argument {}", place + 1));
        let seconds = |seconds: f64| {
            let ms = (seconds * 1000.0).round();
            (ms.abs() < 9e15).then_some(ms as i64).ok_or_else(wrong)
        };
        match self.values.get(place).copied() {
            Some(ScalarValue::TimestampSecond(Some(at), _)) => at.checked_mul(1_000).ok_or_else(wrong),
            Some(ScalarValue::TimestampMillisecond(Some(at), _)) => Ok(*at),
            Some(ScalarValue::TimestampMicrosecond(Some(at), _)) => Ok(at.div_euclid(1_000)),
            Some(ScalarValue::TimestampNanosecond(Some(at), _)) => Ok(at.div_euclid(1_000_000)),
            Some(ScalarValue::Int64(Some(at))) => seconds(*at as f64),
            Some(ScalarValue::Float64(Some(at))) => seconds(*at),
            _ => {
                let text = self.text(place).map_err(|_| wrong())?;
                let parsed = chrono::DateTime::parse_from_rfc3339(text);
                parsed.map(|at| at.timestamp_millis()).map_err(|_| wrong())
            }
        }
    }

    /// A length of time above zero: an interval, a text such as `5m`, or seconds.
    pub(super) fn duration_ms(&self, place: usize) -> Result<i64> {
        let wrong = || {
            self.wrong(&format!(
                "needs a length of time such as '5m' as argument {}",
                place + 1
            ))
        };
        let ms = match self.values.get(place).copied() {
            Some(ScalarValue::Int64(Some(seconds))) => seconds.checked_mul(1_000).ok_or_else(wrong)?,
            Some(ScalarValue::Float64(Some(seconds))) if seconds.abs() < 9e12 => (seconds * 1000.0) as i64,
            Some(interval @ ScalarValue::IntervalMonthDayNano(_)) => width_ms(interval)?.ok_or_else(wrong)?,
            _ => parse_duration_ms(self.text(place).map_err(|_| wrong())?).map_err(|_| wrong())?,
        };
        if ms > 0 { Ok(ms) } else { Err(wrong()) }
    }
}
