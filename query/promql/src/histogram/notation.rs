//! Histograms as Prometheus' test scripts and rule tests write them.
//!
//! ```text
//! {{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.001 buckets:[1 2] offset:-1 n_buckets:[1] n_offset:2}}
//! {{schema:-53 sum:5 count:4 custom_values:[5 10] buckets:[1 2 1] counter_reset_hint:gauge}}
//! ```
//!
//! Every field may be left out and is then 0. `offset` is the index of the first positive bucket, `n_offset` that of
//! the first negative one. Nothing is checked against anything else but what the arithmetic relies on, so that scripts
//! can write down results that no program would observe, such as negative counts.

use std::{collections::BTreeMap, str::FromStr};

use barograph_model::{CUSTOM_BUCKETS_SCHEMA, HISTOGRAM_BUCKETS_MAX, ResetHint};
use thiserror::Error;

use super::{FloatHistogram, body::Body, side::Side};

/// Why a text is not a histogram.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotationError {
    /// One brace pair too few.
    #[error("{text:?} is not in double braces (try {{{{schema:0 count:1 sum:1 buckets:[1]}}}})")]
    Braces {
        /// The text.
        text: String,
    },
    /// A word without a colon.
    #[error("{word:?} has no value (try {word}:0)")]
    NoValue {
        /// The word.
        word: String,
    },
    /// A field that no histogram has.
    #[error(
        "{field:?} is not a field of a histogram (there are schema, count, sum, z_bucket, z_bucket_w, buckets, offset, \
         n_buckets, n_offset, custom_values, counter_reset_hint)"
    )]
    UnknownField {
        /// The field.
        field: String,
    },
    /// A field that was given already.
    #[error("{field} is given twice")]
    Duplicate {
        /// The field.
        field: String,
    },
    /// A value of another kind than its field needs.
    #[error("{field} is {value:?}, which is not {wanted}")]
    Value {
        /// The field.
        field: String,
        /// What was written.
        value: String,
        /// What is needed.
        wanted: &'static str,
    },
    /// A list without an end.
    #[error("the list of {field} has no closing bracket")]
    OpenList {
        /// The field.
        field: String,
    },
    /// Fields that do not go together.
    #[error("a histogram of schema {schema} has no {part}")]
    ForeignPart {
        /// The schema.
        schema: i32,
        /// What is there all the same.
        part: &'static str,
    },
    /// Buckets that have no bounds, or no index.
    #[error("{field} reaches beyond the last bucket that there can be")]
    TooFar {
        /// The field.
        field: String,
    },
}

impl FromStr for FloatHistogram {
    type Err = NotationError;

    /// Reads the notation of this module.
    ///
    /// # Errors
    /// [`NotationError`].
    fn from_str(text: &str) -> Result<Self, NotationError> {
        let inner = text
            .trim()
            .strip_prefix("{{")
            .and_then(|text| text.strip_suffix("}}"));
        let fields = Fields::read(inner.ok_or_else(|| NotationError::Braces {
            text: text.to_owned(),
        })?)?;
        let schema = fields.integer("schema")?;
        let is_custom = schema == CUSTOM_BUCKETS_SCHEMA;
        if !is_custom && !(-4..=8).contains(&schema) {
            return Err(fields.wrong("schema", "from -4 to 8, or -53"));
        }
        let custom_values = fields.list("custom_values")?;
        let ascends = |pair: &[f64]| pair[0] < pair[1];
        if !custom_values.windows(2).all(ascends) || custom_values.iter().any(|bound| bound.is_nan()) {
            return Err(fields.wrong("custom_values", "a list of ascending bounds"));
        }
        let mut body = Body::empty(schema, custom_values.into());
        body.count = fields.float("count")?;
        body.sum = fields.float("sum")?;
        body.zero_count = fields.float("z_bucket")?;
        body.zero_threshold = fields.float("z_bucket_w")?;
        if body.zero_threshold.is_nan() || body.zero_threshold < 0.0 {
            return Err(fields.wrong("z_bucket_w", "a width"));
        }
        body.positive = fields.side("buckets", "offset")?;
        body.negative = fields.side("n_buckets", "n_offset")?;
        body.reset_hint = fields.reset_hint()?;
        check_parts(&body)?;
        Ok(Self(body))
    }
}

/// What the arithmetic relies on.
fn check_parts(body: &Body<f64>) -> Result<(), NotationError> {
    let schema = body.schema;
    let foreign = |part| Err(NotationError::ForeignPart { schema, part });
    if !body.is_custom() {
        return if body.custom_values.is_empty() {
            Ok(())
        } else {
            foreign("custom bounds")
        };
    }
    if body.zero_count != 0.0 || body.zero_threshold != 0.0 {
        return foreign("zero bucket");
    }
    if body.negative.len() > 0 {
        return foreign("negative buckets");
    }
    let bounds = body.custom_values.len() as i64;
    let indexes = body.positive.indexes();
    let are_bounded = |index: &i32| (0..=bounds).contains(&i64::from(*index));
    if [indexes.first(), indexes.last()]
        .into_iter()
        .flatten()
        .all(are_bounded)
    {
        Ok(())
    } else {
        Err(NotationError::TooFar {
            field: "buckets".to_owned(),
        })
    }
}

/// The fields as they are written. A list keeps its brackets.
struct Fields<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    const NAMES: [&'static str; 11] = [
        "schema",
        "count",
        "sum",
        "z_bucket",
        "z_bucket_w",
        "buckets",
        "offset",
        "n_buckets",
        "n_offset",
        "custom_values",
        "counter_reset_hint",
    ];

    fn read(text: &'a str) -> Result<Self, NotationError> {
        let mut fields = BTreeMap::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let word_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let Some((name, _)) = rest[..word_end].split_once(':') else {
                return Err(NotationError::NoValue {
                    word: rest[..word_end].to_owned(),
                });
            };
            if !Self::NAMES.contains(&name) {
                return Err(NotationError::UnknownField {
                    field: name.to_owned(),
                });
            }
            let value = &rest[name.len() + 1..];
            let end = if value.starts_with('[') {
                let end = value.find(']').ok_or_else(|| NotationError::OpenList {
                    field: name.to_owned(),
                })?;
                end + 1
            } else {
                word_end - name.len() - 1
            };
            if fields.insert(name, &value[..end]).is_some() {
                return Err(NotationError::Duplicate {
                    field: name.to_owned(),
                });
            }
            rest = value[end..].trim_start();
        }
        Ok(Self(fields))
    }

    fn wrong(&self, field: &'static str, wanted: &'static str) -> NotationError {
        NotationError::Value {
            field: field.to_owned(),
            value: self.0.get(field).copied().unwrap_or_default().to_owned(),
            wanted,
        }
    }

    fn integer(&self, field: &'static str) -> Result<i32, NotationError> {
        let Some(value) = self.0.get(field) else {
            return Ok(0);
        };
        value.parse().map_err(|_| self.wrong(field, "a whole number"))
    }

    fn float(&self, field: &'static str) -> Result<f64, NotationError> {
        let Some(value) = self.0.get(field) else {
            return Ok(0.0);
        };
        value.parse().map_err(|_| self.wrong(field, "a number"))
    }

    fn list(&self, field: &'static str) -> Result<Vec<f64>, NotationError> {
        const WANTED: &str = "a list of numbers in brackets";
        let Some(value) = self.0.get(field) else {
            return Ok(Vec::new());
        };
        let inner = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
        let inner = inner.ok_or_else(|| self.wrong(field, WANTED))?;
        let numbers = inner.split_whitespace().map(str::parse);
        let numbers: Vec<f64> = numbers
            .collect::<Result<_, _>>()
            .map_err(|_| self.wrong(field, WANTED))?;
        if numbers.len() > HISTOGRAM_BUCKETS_MAX {
            return Err(self.wrong(field, "a list of at most 65536 numbers"));
        }
        Ok(numbers)
    }

    fn side(&self, field: &'static str, offset: &'static str) -> Result<Side<f64>, NotationError> {
        let counts = self.list(field)?;
        let too_far = NotationError::TooFar {
            field: field.to_owned(),
        };
        Side::from_run(self.integer(offset)?, counts).ok_or(too_far)
    }

    fn reset_hint(&self) -> Result<ResetHint, NotationError> {
        const FIELD: &str = "counter_reset_hint";
        match self.0.get(FIELD).copied() {
            None | Some("unknown") => Ok(ResetHint::Unknown),
            Some("reset") => Ok(ResetHint::Yes),
            Some("not_reset") => Ok(ResetHint::No),
            Some("gauge") => Ok(ResetHint::Gauge),
            Some(_) => Err(self.wrong(FIELD, "unknown, reset, not_reset or gauge")),
        }
    }
}

#[cfg(test)]
mod tests;
