//! The width of an interval of time: months, or milliseconds.

use barograph_model::parse_duration_ms;
use datafusion::common::{Result, ScalarValue};

use super::unusable;

const DAY_MS: i64 = 86_400_000;

/// How wide a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// Of the calendar.
    Months(i64),
    /// Of a clock.
    Ms(i64),
}

impl Width {
    /// Of a constant; `None` for NULL.
    pub(super) fn of(width: &ScalarValue) -> Result<Option<Self>> {
        let width = match width {
            ScalarValue::Utf8(None) | ScalarValue::IntervalMonthDayNano(None) | ScalarValue::Null => {
                return Ok(None);
            }
            ScalarValue::Utf8(Some(text)) => Self::parse(text)?,
            ScalarValue::IntervalMonthDayNano(Some(width)) => {
                let ms = i64::from(width.days) * DAY_MS + width.nanoseconds / 1_000_000;
                if width.nanoseconds % 1_000_000 != 0 {
                    return Err(unusable(
                        "the width of a time_bucket is a whole number of milliseconds".to_owned(),
                    ));
                }
                match (i64::from(width.months), ms) {
                    (0, ms) => Self::Ms(ms),
                    (months, 0) => Self::Months(months),
                    _ => {
                        return Err(unusable(
                            "the width of a time_bucket is of months or of days, not of both".to_owned(),
                        ));
                    }
                }
            }
            other => {
                return Err(unusable(format!(
                    "the width of a time_bucket is not {}",
                    other.data_type()
                )));
            }
        };
        match width {
            Self::Months(1..) | Self::Ms(1..) => Ok(Some(width)),
            _ => Err(unusable(
                "the width of a time_bucket is longer than nothing".to_owned(),
            )),
        }
    }

    /// `5m`, `1h30m`; and as PostgreSQL and Grafana write it: `5 minutes`, `1 month`, `300.000s`.
    fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Ok(ms) = parse_duration_ms(text) {
            return Ok(Self::Ms(ms));
        }
        let wrong = || {
            unusable(format!(
                "the width of a time_bucket: {text:?} is not a length of time"
            ))
        };
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (number, unit) = (&text[..end], text[end..].trim().to_lowercase());
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let months = |each: f64| {
            let months = number * each;
            // Half a month has no length.
            (months.fract() == 0.0 && months < 1e6)
                .then_some(Self::Months(months as i64))
                .ok_or_else(wrong)
        };
        let each_ms = match unit.as_str() {
            "ms" | "millisecond" | "milliseconds" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
            "m" | "min" | "mins" | "minute" | "minutes" => 60e3,
            "h" | "hr" | "hour" | "hours" => 3_600e3,
            "d" | "day" | "days" => DAY_MS as f64,
            "w" | "week" | "weeks" => 7.0 * DAY_MS as f64,
            "mon" | "mons" | "month" | "months" => return months(1.0),
            "y" | "year" | "years" => return months(12.0),
            _ => return Err(wrong()),
        };
        let ms = number * each_ms;
        if ms > 9e15 {
            return Err(wrong());
        }
        Ok(Self::Ms(ms.round() as i64))
    }
}

/// Milliseconds of a constant; `None` for NULL. Months have no fixed length.
pub(crate) fn width_ms(width: &ScalarValue) -> Result<Option<i64>> {
    match Width::of(width)? {
        None => Ok(None),
        Some(Width::Ms(ms)) => Ok(Some(ms)),
        Some(Width::Months(_)) => Err(unusable("months and years have no fixed length here".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read_in_three_ways() {
        for (text, width) in [
            ("5m", Width::Ms(300_000)),
            ("1h30m", Width::Ms(5_400_000)),
            ("300.000s", Width::Ms(300_000)),
            ("0.5s", Width::Ms(500)),
            ("5 minutes", Width::Ms(300_000)),
            ("1 Day", Width::Ms(DAY_MS)),
            ("2 weeks", Width::Ms(14 * DAY_MS)),
            ("1 month", Width::Months(1)),
            ("0.5 years", Width::Months(6)),
        ] {
            assert_eq!(
                Width::of(&ScalarValue::from(text)).unwrap(),
                Some(width),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "m",
            "0s",
            "-5m",
            "0.3 months",
            "1e300s",
            "5 parsecs",
            "99999999999999999999 weeks",
        ] {
            assert!(Width::of(&ScalarValue::from(text)).is_err(), "{text}");
        }
    }
}
