//! A file as a detector needs it: an optional time, and columns of numbers.

use std::path::Path;

use arrow::array::ArrayRef;

use super::{DetectFailure, csv_input, parquet_input};
use crate::config::nearest;

/// The column that is not a metric.
pub(super) const TIME: &str = "time";

/// How a file is written, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
}

impl Format {
    pub(super) fn of(path: &Path) -> Result<Self, DetectFailure> {
        match path
            .extension()
            .and_then(|e| e.to_str())
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(DetectFailure::Extension {
                path: path.to_owned(),
            }),
        }
    }
}

/// What was read: all columns have as many values as there are rows, NaN where one is missing.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) time: Option<Time>,
    pub(super) columns: Vec<(String, Vec<f64>)>,
}

/// The times of the rows.
#[derive(Debug)]
pub(super) struct Time {
    /// Milliseconds since the epoch.
    pub(super) ms: Vec<i64>,
    /// As they stood in the file (texts from CSV), so that the verdicts can be joined to the input by them.
    pub(super) written: ArrayRef,
}

impl Time {
    /// What a user should know about these times: that they go back, or look like seconds.
    pub(super) fn notes(&self, path: &Path) -> Vec<String> {
        let mut notes = Vec::new();
        let mut backwards = (1..self.ms.len()).filter(|i| self.ms[*i] < self.ms[*i - 1]);
        if let Some(first) = backwards.next() {
            notes.push(format!(
                "{}: the time goes back at {} row(s), first at row {}; rows are judged in the order of the file",
                path.display(),
                backwards.count() + 1,
                first + 1,
            ));
        }
        // 2000-01-01 and 2100-01-01 as seconds; as milliseconds both lie in the first weeks of 1970.
        if self
            .ms
            .first()
            .is_some_and(|first| (946_684_800..4_102_444_800).contains(first))
        {
            let message =
                "the time looks like seconds since 1970 and is read as milliseconds; multiply it by 1000";
            notes.push(format!("{}: {message}", path.display()));
        }
        notes
    }
}

/// Reads a file. `chosen` names the metrics; empty takes every column but the time.
pub(super) fn read(path: &Path, chosen: &[String]) -> Result<Input, DetectFailure> {
    match Format::of(path)? {
        Format::Csv => csv_input::read(path, chosen),
        Format::Parquet => parquet_input::read(path, chosen),
    }
}

/// The places of the time column and of the metrics among a file's columns.
pub(super) fn choose(
    path: &Path,
    names: &[String],
    chosen: &[String],
) -> Result<(Option<usize>, Vec<usize>), DetectFailure> {
    let failed = |message| DetectFailure::File {
        path: path.to_owned(),
        message,
    };
    if let Some(i) = (1..names.len()).find(|i| names[..*i].contains(&names[*i])) {
        return Err(failed(format!("there are two columns called {:?}", names[i])));
    }
    let time = names.iter().position(|name| name == TIME);
    let metrics: Vec<usize> = if chosen.is_empty() {
        (0..names.len()).filter(|i| Some(*i) != time).collect()
    } else {
        let place = |name: &String| {
            let advice = || match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("there are: {}", names.join(", ")),
            };
            if name == TIME {
                return Err(failed(
                    "time is not a metric; leave it out of --columns".to_owned(),
                ));
            }
            let place = names.iter().position(|n| n == name);
            place.ok_or_else(|| failed(format!("there is no column {name:?} ({})", advice())))
        };
        chosen.iter().map(place).collect::<Result<_, _>>()?
    };
    if metrics.is_empty() {
        let message = "there is no column beside the time; at least one metric is needed";
        return Err(failed(message.to_owned()));
    }
    Ok((time, metrics))
}
