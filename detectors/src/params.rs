//! A detector's parameters as they come from `--param K=V` or a config file: texts by key.
//!
//! Every key is checked against the detector's own list before any is read, so that a misspelt one is an
//! error with the nearest key and never a silent default.

use std::collections::BTreeMap;
use std::str::FromStr;

use barograph_model::parse_duration_ms;

use crate::error::{DetectorError, nearest};

/// Parameters by key, not yet read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// No parameters: every default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These parameters with one more, or one replaced.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.0.insert(key.to_owned(), value.to_string());
        self
    }

    /// The text of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|text| text.trim())
    }

    /// Keys and texts in order of key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Refuses keys that are not in `known`.
    ///
    /// # Errors
    /// [`DetectorError::UnknownParam`] with the nearest key.
    pub fn check_keys(&self, detector: &str, known: &[&str]) -> Result<(), DetectorError> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(DetectorError::UnknownParam {
                detector: detector.to_owned(),
                key: key.clone(),
                nearest: nearest(key, known),
                known: known.join(", "),
            }),
        }
    }

    /// The value of `key` between two bounds, both allowed, or `default` where it is not given.
    ///
    /// # Errors
    /// [`DetectorError::InvalidParam`] where the text is not such a number.
    pub fn number<T>(&self, key: &str, default: T, min: T, max: T) -> Result<T, DetectorError>
    where
        T: FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        let Some(text) = self.get(key) else {
            return Ok(default);
        };
        match text.parse::<T>() {
            Ok(value) if value >= min && value <= max => Ok(value),
            _ => Err(invalid(
                key,
                text,
                &format!("a number from {min} to {max}, such as {default}"),
            )),
        }
    }

    /// The duration of `key` in milliseconds, or none where it is not given.
    ///
    /// # Errors
    /// [`DetectorError::InvalidParam`] where the text is not a positive duration.
    pub fn duration_ms(&self, key: &str) -> Result<Option<i64>, DetectorError> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        match parse_duration_ms(text) {
            Ok(ms) if ms > 0 => Ok(Some(ms)),
            Ok(_) => Err(invalid(key, text, "a positive duration, such as 1d")),
            Err(error) => Err(invalid(key, text, &format!("usable: {error}"))),
        }
    }
}

/// The error of a value that cannot be used.
pub(crate) fn invalid(key: &str, value: &str, expected: &str) -> DetectorError {
    DetectorError::InvalidParam {
        key: key.to_owned(),
        value: value.to_owned(),
        expected: expected.to_owned(),
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = Params::new()
            .with("alarm_per_day", 1)
            .check_keys("seasonal", &["alarms_per_day", "period"]);
        let text = error
            .map_err(|error| error.to_string())
            .expect_err("must be refused");
        assert!(text.contains("did you mean \"alarms_per_day\""), "{text}");
    }

    #[test]
    fn numbers_outside_their_bounds_and_nan_are_refused() {
        for hostile in ["-1", "NaN", "inf", "1e400", "", "zwei", "0x10"] {
            let params = Params::new().with("alarms_per_day", hostile);
            let error = params
                .number("alarms_per_day", 0.5, 1e-6, 1e6)
                .expect_err(hostile);
            assert!(error.to_string().contains("alarms_per_day"), "{error}");
        }
        assert_eq!(Params::new().with("a", " 2 ").number("a", 1.0, 0.0, 3.0), Ok(2.0));
    }

    #[test]
    fn durations_are_positive() {
        assert_eq!(
            Params::new().with("period", "1d").duration_ms("period"),
            Ok(Some(86_400_000))
        );
        for hostile in ["0", "1dd", "-1h", "", "9999999999999y"] {
            assert!(
                Params::new()
                    .with("period", hostile)
                    .duration_ms("period")
                    .is_err(),
                "{hostile}"
            );
        }
    }
}
