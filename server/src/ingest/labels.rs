//! The labels of one series on the wire, checked and sorted: `TimeSeries.labels` of remote write 1.0, and
//! `TimeSeries.labels_refs` of 2.0, which name symbols; likewise those of exemplars.
//!
//! For series this is the path of a series that the store has not seen; one it has is found by a hash of these bytes.

use std::fmt::Write;
use std::ops::Range;

use barograph_model::{LabelError, Labels, METRIC_NAME};
use thiserror::Error;

use super::limits::LabelLimits;
use super::protobuf::{Reader, WireError, WireType};
use super::symbols::{References, Symbols};

/// Bytes of a series that a message to a person shows, and of one name or value in it.
const SHOWN_BYTES_MAX: usize = 400;
const SHOWN_PART_BYTES_MAX: usize = 100;

/// What is wrong with the labels of a series.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabelFault {
    /// No `__name__`, or an empty one, which is the same.
    #[error("it has no metric name (label __name__ is missing or empty)")]
    NoMetricName,
    /// A label whose name is empty.
    #[error("a label name is empty")]
    EmptyName,
    /// A name that appears twice.
    #[error("label {name:?} appears twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A name that is not UTF-8.
    #[error("label name {shown:?} is not valid UTF-8")]
    NameNotUtf8 {
        /// The name, with a mark for what cannot be read.
        shown: String,
    },
    /// A value that is not UTF-8.
    #[error("the value of label {name:?} is not valid UTF-8")]
    ValueNotUtf8 {
        /// Whose value.
        name: String,
    },
    /// More labels than a series may have.
    #[error("it has more than {max} labels")]
    TooMany {
        /// The cap.
        max: usize,
    },
    /// A name that is too long.
    #[error("a label name has {bytes} bytes, more than {max}")]
    NameTooLong {
        /// Its length.
        bytes: usize,
        /// The cap.
        max: usize,
    },
    /// A value that is too long.
    #[error("the value of label {name:?} has {bytes} bytes, more than {max}")]
    ValueTooLong {
        /// Whose value.
        name: String,
        /// Its length.
        bytes: usize,
        /// The cap.
        max: usize,
    },
    /// An odd number of references into the symbols table.
    #[error("it has a label name without a value (an odd number of symbol references)")]
    OddReferences,
    /// A reference behind the end of the symbols table.
    #[error("it refers to symbol {index} of {symbols}")]
    UnknownSymbol {
        /// The index, from 0.
        index: u64,
        /// How many symbols the request has.
        symbols: usize,
    },
    /// Names and values that are together too long.
    #[error("its labels have more than {max} bytes together")]
    TotalTooLong {
        /// The cap.
        max: usize,
    },
}

/// Why a series' labels were not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum LabelsError {
    /// The message cannot be read at all.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It can, and this series is not acceptable.
    #[error(transparent)]
    Fault(#[from] LabelFault),
}

/// A name and a value.
type RawLabel<'a> = (&'a [u8], &'a [u8]);

/// Where the labels of a request's messages are.
#[derive(Debug, Clone, Copy)]
pub(super) enum LabelSource<'a> {
    /// In the messages themselves, in this body of remote write 1.0.
    Inline(&'a [u8]),
    /// In the symbols table of remote write 2.0, by index.
    Symbols(Symbols<'a>),
}

impl<'a> LabelSource<'a> {
    /// Reads the labels of the TimeSeries message at `series`: any order, empty values dropped.
    ///
    /// # Errors
    /// [`LabelsError::Wire`] where the message is malformed, and the whole request with it;
    /// [`LabelsError::Fault`] where only this series is not acceptable.
    pub(super) fn read(&self, series: Range<usize>, limits: &LabelLimits) -> Result<Labels, LabelsError> {
        let labels = collect(self.pairs(series, "TimeSeries.labels"), limits)?;
        if labels.metric().is_empty() {
            return Err(LabelFault::NoMetricName.into());
        }
        Ok(labels)
    }

    /// Reads the labels of the Exemplar message at `exemplar`; there may be none.
    ///
    /// # Errors
    /// As [`LabelSource::read`].
    pub(super) fn read_exemplar(
        &self,
        exemplar: Range<usize>,
        limits: &LabelLimits,
    ) -> Result<Labels, LabelsError> {
        collect(self.pairs(exemplar, "Exemplar.labels"), limits)
    }

    /// The labels of a series as a selector, for a message to a person: whatever is wrong with them, in the order
    /// they came, cut short where there are many.
    pub(super) fn show(&self, series: Range<usize>) -> String {
        let mut pairs = self.pairs(series, "TimeSeries.labels");
        let (mut metric, mut others) = (String::new(), String::new());
        while let Ok(Some((name, value))) = pairs.next() {
            if name == METRIC_NAME.as_bytes() && metric.is_empty() {
                metric = shown(value).escape_debug().to_string();
                continue;
            }
            let comma = if others.is_empty() { "" } else { ", " };
            // Writing to a String does not fail.
            let _ = write!(others, "{comma}{}={:?}", shown(name).escape_debug(), shown(value));
            if others.len() > SHOWN_BYTES_MAX {
                others.truncate(others.floor_char_boundary(SHOWN_BYTES_MAX));
                others.push_str("...");
                break;
            }
        }
        format!("{metric}{{{others}}}")
    }

    fn pairs(&self, message: Range<usize>, field: &'static str) -> Pairs<'a> {
        match *self {
            Self::Inline(body) => Pairs::Inline(Reader::within(body, message.start, message.end), field),
            Self::Symbols(symbols) => {
                let message = Reader::within(symbols.body, message.start, message.end);
                Pairs::References(References::of(message), symbols)
            }
        }
    }
}

/// The labels of one message as raw bytes.
enum Pairs<'a> {
    Inline(Reader<'a>, &'static str),
    References(References<'a>, Symbols<'a>),
}

impl<'a> Pairs<'a> {
    fn next(&mut self) -> Result<Option<RawLabel<'a>>, LabelsError> {
        match self {
            Self::Inline(message, field) => Ok(next_label(message, field)?),
            Self::References(references, symbols) => {
                let Some(name) = references.next()? else {
                    return Ok(None);
                };
                let value = references.next()?.ok_or(LabelFault::OddReferences)?;
                let resolve = |index| {
                    symbols.get(index).ok_or(LabelFault::UnknownSymbol {
                        index,
                        symbols: symbols.places.len(),
                    })
                };
                Ok(Some((resolve(name)?, resolve(value)?)))
            }
        }
    }
}

/// The next label of a message of remote write 1.0, passing over its other fields.
fn next_label<'a>(message: &mut Reader<'a>, field: &'static str) -> Result<Option<RawLabel<'a>>, WireError> {
    while let Some(tag) = message.tag()? {
        if tag.field != 1 {
            message.skip(tag)?;
            continue;
        }
        tag.expect(WireType::Length, field)?;
        let mut label = message.message()?;
        let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
        while let Some(tag) = label.tag()? {
            match tag.field {
                1 => {
                    tag.expect(WireType::Length, "Label.name")?;
                    name = label.bytes()?;
                }
                2 => {
                    tag.expect(WireType::Length, "Label.value")?;
                    value = label.bytes()?;
                }
                _ => label.skip(tag)?,
            }
        }
        return Ok(Some((name, value)));
    }
    Ok(None)
}

/// Checks pair after pair, so that a set over a cap is given up at the pair that breaks it.
fn collect(mut raw: Pairs<'_>, limits: &LabelLimits) -> Result<Labels, LabelsError> {
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(16);
    let mut total = 0;
    while let Some((name, value)) = raw.next()? {
        if pairs.len() == limits.count_max {
            return Err(LabelFault::TooMany {
                max: limits.count_max,
            }
            .into());
        }
        let (name, value) = check_label(name, value, limits)?;
        total += name.len() + value.len();
        if total > limits.total_bytes_max {
            return Err(LabelFault::TotalTooLong {
                max: limits.total_bytes_max,
            }
            .into());
        }
        pairs.push((name, value));
    }
    Labels::from_pairs(pairs).map_err(|error| {
        LabelsError::Fault(match error {
            LabelError::Duplicate { name } => LabelFault::Duplicate { name },
            LabelError::EmptyName { .. } => LabelFault::EmptyName,
            // The model's own bound is far above this one.
            _ => LabelFault::TotalTooLong {
                max: limits.total_bytes_max,
            },
        })
    })
}

fn check_label<'a>(
    name: &'a [u8],
    value: &'a [u8],
    limits: &LabelLimits,
) -> Result<(&'a str, &'a str), LabelFault> {
    if name.is_empty() {
        return Err(LabelFault::EmptyName);
    }
    if name.len() > limits.name_bytes_max {
        return Err(LabelFault::NameTooLong {
            bytes: name.len(),
            max: limits.name_bytes_max,
        });
    }
    let Ok(name) = str::from_utf8(name) else {
        return Err(LabelFault::NameNotUtf8 {
            shown: String::from_utf8_lossy(name).into_owned(),
        });
    };
    if value.len() > limits.value_bytes_max {
        let bytes = value.len();
        return Err(LabelFault::ValueTooLong {
            name: name.to_owned(),
            bytes,
            max: limits.value_bytes_max,
        });
    }
    let value = str::from_utf8(value).map_err(|_| LabelFault::ValueNotUtf8 {
        name: name.to_owned(),
    })?;
    Ok((name, value))
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_PART_BYTES_MAX)]);
    if bytes.len() > SHOWN_PART_BYTES_MAX {
        format!("{text}...")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests;
