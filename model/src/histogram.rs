//! A native histogram: the distribution of a series' observations at one instant, in sparse buckets.
//!
//! ```text
//! schema -4..=8   bucket i holds (b^(i-1), b^i] with b = 2^(2^-schema); the negative buckets mirror it; what lies
//!                 within zero_threshold of 0 is in the zero bucket
//! schema -53      bucket i holds (custom_values[i-1], custom_values[i]]; the one behind the last reaches to +Inf
//! ```
//!
//! Only runs of buckets are kept. A [`Span`] says how many buckets are skipped and how many follow; the counts of
//! all spans of a side stand in one list.
//! Source: the Prometheus native histogram specification (<https://prometheus.io/docs/specs/native_histograms/>).
//!
//! Invariants, which [`Histogram::new`] checks and nothing breaks afterwards:
//! - there are as many counts as the spans hold buckets, and no bucket index leaves 32 bits;
//! - no count is negative; the integer counts add up to `count`, or to no more where a NaN was observed (then the
//!   sum is NaN, and a NaN is in no bucket);
//! - custom bounds ascend, are finite, and go with schema -53 only, which has no negative and no zero bucket.

mod codec;

pub use codec::{HISTOGRAM_VERSION, HistogramCodecError};

use thiserror::Error;

use crate::{TimestampMs, is_stale};

/// The schema of histograms with custom bounds.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// The most buckets, spans or custom bounds of one histogram.
pub const HISTOGRAM_BUCKETS_MAX: usize = 1 << 16;

/// What is known of a counter reset between this histogram and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetHint {
    /// Nothing: compare the two.
    #[default]
    Unknown,
    /// The counter began anew here.
    Yes,
    /// It did not.
    No,
    /// A gauge: its counts rise and fall.
    Gauge,
}

impl ResetHint {
    /// The hint's number on the wire and on disk.
    #[must_use]
    pub fn to_number(self) -> u8 {
        self as u8
    }

    /// The hint of a number; what is not defined says nothing.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Yes,
            2 => Self::No,
            3 => Self::Gauge,
            _ => Self::Unknown,
        }
    }

    /// The hint that [`ResetHint::as_str`] names so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Unknown, Self::Yes, Self::No, Self::Gauge]
            .into_iter()
            .find(|hint| hint.as_str() == name)
    }

    /// `unknown`, `yes`, `no`, `gauge`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Yes => "yes",
            Self::No => "no",
            Self::Gauge => "gauge",
        }
    }
}

/// Consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// Buckets skipped since the end of the span before; for the first span the index of its first bucket.
    pub offset: i32,
    /// Buckets.
    pub length: u32,
}

/// How often something was observed, in all and in each bucket.
#[derive(Debug, Clone)]
pub enum HistogramCounts {
    /// Whole numbers, as a program counts them.
    Integer {
        /// All observations.
        count: u64,
        /// Those in the zero bucket.
        zero_count: u64,
        /// Those in the buckets of the positive spans, each bucket by itself.
        positive: Vec<u64>,
        /// Those in the buckets of the negative spans.
        negative: Vec<u64>,
    },
    /// Floats, as rules and aggregations give them.
    Float {
        /// All observations.
        count: f64,
        /// Those in the zero bucket.
        zero_count: f64,
        /// Those in the buckets of the positive spans, each bucket by itself.
        positive: Vec<f64>,
        /// Those in the buckets of the negative spans.
        negative: Vec<f64>,
    },
}

/// The fields of a histogram, not checked yet. The default is an empty integer histogram of schema 0.
#[derive(Debug, Clone)]
pub struct HistogramParts {
    /// Resolution: -4 (coarse) to 8 (fine), or -53 for custom bounds.
    pub schema: i32,
    /// What is known of counter resets.
    pub reset_hint: ResetHint,
    /// When the counter began, where the sender said so.
    pub created: Option<TimestampMs>,
    /// The sum of all observations; the staleness marker's bits say that the series has gone.
    pub sum: f64,
    /// How far from 0 the zero bucket reaches.
    pub zero_threshold: f64,
    /// Where the positive buckets are.
    pub positive_spans: Vec<Span>,
    /// Where the negative buckets are.
    pub negative_spans: Vec<Span>,
    /// The counts.
    pub counts: HistogramCounts,
    /// Upper bounds, inclusive, for schema -53.
    pub custom_values: Vec<f64>,
}

impl Default for HistogramParts {
    fn default() -> Self {
        Self {
            schema: 0,
            reset_hint: ResetHint::Unknown,
            created: None,
            sum: 0.0,
            zero_threshold: 0.0,
            positive_spans: Vec::new(),
            negative_spans: Vec::new(),
            counts: HistogramCounts::Integer {
                count: 0,
                zero_count: 0,
                positive: Vec::new(),
                negative: Vec::new(),
            },
            custom_values: Vec::new(),
        }
    }
}

/// Why fields do not make a histogram.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum HistogramError {
    /// A schema that nobody has defined, or that is finer or coarser than can be kept.
    #[error("schema {schema} is not known (-4 to 8, or -53 for custom buckets)")]
    Schema {
        /// What was given.
        schema: i32,
    },
    /// More of something than a histogram may have.
    #[error("it has {found} {what}, more than {max}")]
    TooMany {
        /// Buckets, spans or custom bounds.
        what: &'static str,
        /// How many.
        found: usize,
        /// The cap.
        max: usize,
    },
    /// A span that goes backwards.
    #[error("{side} span {span} has the negative offset {offset}")]
    NegativeOffset {
        /// `positive` or `negative`.
        side: &'static str,
        /// Which span, from 1.
        span: usize,
        /// What it says.
        offset: i32,
    },
    /// Spans that lead to a bucket that cannot be named.
    #[error("the {side} spans lead to a bucket whose index does not fit 32 bits")]
    IndexOverflow {
        /// `positive` or `negative`.
        side: &'static str,
    },
    /// Spans and counts that do not fit together.
    #[error("the {side} spans hold {spans} buckets and there are {counts} counts")]
    Mismatch {
        /// `positive` or `negative`.
        side: &'static str,
        /// Buckets by the spans.
        spans: u64,
        /// Counts given.
        counts: usize,
    },
    /// A count below zero, or beyond what 63 bits hold.
    #[error("{what} is {count}, which is not a count")]
    NotACount {
        /// Which count.
        what: String,
        /// What it is.
        count: String,
    },
    /// The buckets do not add up.
    #[error("the count is {count} and the buckets add up to {buckets}")]
    Sum {
        /// Of all observations.
        count: u64,
        /// Of all buckets.
        buckets: u128,
    },
    /// A bound that does not ascend, or is NaN or infinite.
    #[error("custom bound {index} is {bound}, which is not finite or not above the one before it")]
    Bound {
        /// Which bound, from 1.
        index: usize,
        /// What it is.
        bound: f64,
    },
    /// Spans that reach beyond the bounds.
    #[error("{bounds} custom bounds do not cover buckets up to {buckets}")]
    TooFewBounds {
        /// Bounds given; one bucket more is possible.
        bounds: usize,
        /// One past the index of the last bucket.
        buckets: i64,
    },
    /// A part that a histogram of this schema does not have.
    #[error("schema {schema} has no {part}")]
    ForeignPart {
        /// The schema.
        schema: i32,
        /// What is there all the same.
        part: &'static str,
    },
}

/// A checked native histogram. Equality is by bits, as for [`Sample`](crate::Sample).
#[derive(Debug, Clone)]
pub struct Histogram(HistogramParts);

impl Histogram {
    /// Checks the fields. O(buckets).
    ///
    /// # Errors
    /// [`HistogramError`] says which rule of this module's header does not hold.
    pub fn new(parts: HistogramParts) -> Result<Self, HistogramError> {
        let schema = parts.schema;
        let is_custom = schema == CUSTOM_BUCKETS_SCHEMA;
        if !is_custom && !(-4..=8).contains(&schema) {
            return Err(HistogramError::Schema { schema });
        }
        let (positive, negative) = match &parts.counts {
            HistogramCounts::Integer {
                positive, negative, ..
            } => (positive.len(), negative.len()),
            HistogramCounts::Float {
                positive, negative, ..
            } => (positive.len(), negative.len()),
        };
        let foreign = |part| Err(HistogramError::ForeignPart { schema, part });
        if is_custom {
            check_bounds(&parts.custom_values)?;
            if negative > 0 || !parts.negative_spans.is_empty() {
                return foreign("negative buckets");
            }
            if parts.zero_threshold != 0.0 {
                return foreign("zero threshold");
            }
            let zero_is_used = match parts.counts {
                HistogramCounts::Integer { zero_count, .. } => zero_count != 0,
                HistogramCounts::Float { zero_count, .. } => zero_count != 0.0,
            };
            if zero_is_used {
                return foreign("zero bucket");
            }
        } else if !parts.custom_values.is_empty() {
            return foreign("custom bounds");
        }
        let end = check_spans("positive", &parts.positive_spans, positive, is_custom)?;
        check_spans("negative", &parts.negative_spans, negative, false)?;
        if is_custom && end > parts.custom_values.len() as i64 + 1 {
            return Err(HistogramError::TooFewBounds {
                bounds: parts.custom_values.len(),
                buckets: end,
            });
        }
        check_counts(&parts)?;
        Ok(Self(parts))
    }

    /// The fields.
    #[must_use]
    pub fn parts(&self) -> &HistogramParts {
        &self.0
    }

    /// The fields, to be changed and checked again.
    #[must_use]
    pub fn into_parts(self) -> HistogramParts {
        self.0
    }

    /// Says when the counter began, where nobody has said so yet. There is no rule about it that could break.
    pub fn set_created_if_unknown(&mut self, created: TimestampMs) {
        self.0.created.get_or_insert(created);
    }

    /// Whether this marks the series as gone rather than being an observation.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        is_stale(self.0.sum)
    }

    /// Whether the counts are floats.
    #[must_use]
    pub fn is_float(&self) -> bool {
        matches!(self.0.counts, HistogramCounts::Float { .. })
    }

    /// Bytes of memory, itself included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let counts = match &self.0.counts {
            HistogramCounts::Integer {
                positive, negative, ..
            } => positive.len() + negative.len(),
            HistogramCounts::Float {
                positive, negative, ..
            } => positive.len() + negative.len(),
        };
        let spans = self.0.positive_spans.len() + self.0.negative_spans.len();
        size_of::<Self>() + 8 * (counts + spans + self.0.custom_values.len())
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        // The binary form is one to one, so it decides; comparing is not a hot path.
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for Histogram {}

fn check_bounds(bounds: &[f64]) -> Result<(), HistogramError> {
    let max = HISTOGRAM_BUCKETS_MAX;
    if bounds.len() > max {
        return Err(HistogramError::TooMany {
            what: "custom bounds",
            found: bounds.len(),
            max,
        });
    }
    for (i, &bound) in bounds.iter().enumerate() {
        if !bound.is_finite() || (i > 0 && bound <= bounds[i - 1]) {
            return Err(HistogramError::Bound { index: i + 1, bound });
        }
    }
    Ok(())
}

/// Gives one past the index of the last bucket.
fn check_spans(
    side: &'static str,
    spans: &[Span],
    counts: usize,
    from_zero: bool,
) -> Result<i64, HistogramError> {
    let max = HISTOGRAM_BUCKETS_MAX;
    for (what, found) in [("spans", spans.len()), ("buckets", counts)] {
        if found > max {
            return Err(HistogramError::TooMany { what, found, max });
        }
    }
    let (mut end, mut buckets) = (0i64, 0u64);
    for (i, span) in spans.iter().enumerate() {
        if span.offset < 0 && (i > 0 || from_zero) {
            return Err(HistogramError::NegativeOffset {
                side,
                span: i + 1,
                offset: span.offset,
            });
        }
        buckets += u64::from(span.length);
        end += i64::from(span.offset) + i64::from(span.length);
        if i32::try_from(end).is_err() {
            return Err(HistogramError::IndexOverflow { side });
        }
    }
    if buckets != counts as u64 {
        return Err(HistogramError::Mismatch {
            side,
            spans: buckets,
            counts,
        });
    }
    Ok(end)
}

fn check_counts(parts: &HistogramParts) -> Result<(), HistogramError> {
    match &parts.counts {
        HistogramCounts::Integer {
            count,
            zero_count,
            positive,
            negative,
        } => {
            for (side, counts) in [("positive", positive), ("negative", negative)] {
                if let Some(i) = counts.iter().position(|&c| i64::try_from(c).is_err()) {
                    return Err(not_a_count(side, i, counts[i].to_string()));
                }
            }
            let sides = positive.iter().chain(negative);
            let buckets = u128::from(*zero_count) + sides.map(|&c| u128::from(c)).sum::<u128>();
            let fits = if parts.sum.is_nan() {
                buckets <= u128::from(*count)
            } else {
                buckets == u128::from(*count)
            };
            if fits {
                Ok(())
            } else {
                Err(HistogramError::Sum {
                    count: *count,
                    buckets,
                })
            }
        }
        // Rounding makes the sum of the buckets differ from the count, so the two are not compared.
        HistogramCounts::Float {
            count,
            zero_count,
            positive,
            negative,
        } => {
            for (what, value) in [("the count", *count), ("the zero count", *zero_count)] {
                if value < 0.0 {
                    return Err(HistogramError::NotACount {
                        what: what.to_owned(),
                        count: value.to_string(),
                    });
                }
            }
            for (side, counts) in [("positive", positive), ("negative", negative)] {
                if let Some(i) = counts.iter().position(|&c| c < 0.0) {
                    return Err(not_a_count(side, i, counts[i].to_string()));
                }
            }
            Ok(())
        }
    }
}

fn not_a_count(side: &str, index: usize, count: String) -> HistogramError {
    HistogramError::NotACount {
        what: format!("{side} bucket {}", index + 1),
        count,
    }
}

#[cfg(test)]
mod tests;
