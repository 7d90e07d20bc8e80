//! Samples gathered until they are worth a request.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use barograph_model::Labels;
use serde::{Deserialize, Serialize};

use super::labels::{self, Escapes};
use super::line::Sample;
use super::tally::{Count, Tally};

/// Samples of a batch. With a dozen bytes each on the wire it stays far below what a server accepts.
const SAMPLES_MAX: usize = 20_000;

/// Bytes of labels of a batch: series with one sample each are mostly labels.
const LABEL_BYTES_MAX: usize = 4 << 20;

/// How far a source has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Bytes of a text; of a remote read, the first instant that was not read, in milliseconds since the epoch.
    pub(super) offset: i64,
    /// Lines of a text.
    pub(super) lines: u64,
}

/// The samples of one series.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// Milliseconds since the epoch, and the value.
    pub(super) samples: Vec<(i64, f64)>,
    duplicates: u64,
    hash: u64,
}

/// Samples that are written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) series: Vec<Series>,
    pub(super) tally: Tally,
    /// How far the source has been read with this batch. `None` in the middle of a part that is read again as a whole
    /// after an interruption.
    pub(super) end: Option<Position>,
}

/// Makes batches.
#[derive(Debug, Default)]
pub(super) struct Batcher {
    batch: Batch,
    /// by the text of a series: its place in the batch
    places: HashMap<String, usize>,
    label_bytes: usize,
    /// by series, as a hash of its text: the instant that was read last. It does not outlive an interruption, so that a
    /// duplicate right behind one counts as a sample of its own.
    last: HashMap<u64, i64>,
}

impl Batcher {
    /// Adds a sample of a text.
    ///
    /// # Errors
    /// What is wrong with its labels or its time; nothing is added then.
    pub(super) fn add(&mut self, sample: &Sample<'_>, escapes: Escapes) -> Result<(), String> {
        let place = match self.places.get(sample.series) {
            Some(place) => *place,
            None => {
                let labels = labels::parse(sample.name(), sample.braces(), escapes)?;
                self.place(sample.series, labels)?
            }
        };
        self.push(place, sample.ts_ms, sample.value)?;
        self.batch.tally.exemplars += u64::from(sample.has_exemplar);
        Ok(())
    }

    /// Adds samples of a series that came with its labels.
    ///
    /// # Errors
    /// What is wrong with them; samples before the wrong one are added.
    pub(super) fn add_series(&mut self, labels: &Labels, samples: &[(i64, f64)]) -> Result<(), String> {
        let text = labels.to_string();
        let place = match self.places.get(&text) {
            Some(place) => *place,
            None => self.place(&text, labels.clone())?,
        };
        samples
            .iter()
            .try_for_each(|(ts, value)| self.push(place, *ts, *value))
    }

    fn place(&mut self, text: &str, labels: Labels) -> Result<usize, String> {
        if labels.is_empty() {
            return Err("a series without labels cannot be stored".to_owned());
        }
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let place = self.batch.series.len();
        self.label_bytes += text.len();
        self.places.insert(text.to_owned(), place);
        self.batch.series.push(Series {
            labels,
            samples: Vec::new(),
            duplicates: 0,
            hash: hasher.finish(),
        });
        Ok(place)
    }

    fn push(&mut self, place: usize, ts_ms: i64, value: f64) -> Result<(), String> {
        if ts_ms < 0 {
            return Err(format!(
                "{ts_ms} ms is before 1970, which the store does not hold"
            ));
        }
        let series = &mut self.batch.series[place];
        if self.last.insert(series.hash, ts_ms) == Some(ts_ms) {
            series.duplicates += 1;
        }
        series.samples.push((ts_ms, value));
        self.batch.tally.samples += 1;
        Ok(())
    }

    /// Counts a line that is left out.
    pub(super) fn skip(&mut self) {
        self.batch.tally.bad += 1;
    }

    /// Whether it is time to take the batch.
    pub(super) fn is_full(&self) -> bool {
        self.batch.tally.samples as usize >= SAMPLES_MAX || self.label_bytes >= LABEL_BYTES_MAX
    }

    /// The batch so far, which ends at `end`; the next one begins.
    pub(super) fn take(&mut self, end: Option<Position>) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        self.places.clear();
        self.label_bytes = 0;
        batch.end = end;
        // A series whose one sample was wrong is in its place without any.
        batch.series.retain(|series| !series.samples.is_empty());
        for series in &batch.series {
            let times = || series.samples.iter().map(|(ts, _)| *ts);
            let count = Count {
                samples: series.samples.len() as u64 - series.duplicates,
                ts_min: times().min().unwrap_or_default(),
                ts_max: times().max().unwrap_or_default(),
            };
            batch.tally.duplicates += series.duplicates;
            batch.tally.count(series.labels.metric(), count);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::super::{dump, line::Line};
    use super::*;

    fn batcher(lines: &[&str]) -> Batcher {
        let mut batcher = Batcher::default();
        for line in lines {
            match dump::parse(line).unwrap() {
                Line::Sample(sample) => batcher.add(&sample, Escapes::Go).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        batcher
    }

    #[test]
    fn samples_are_gathered_by_series_and_counted_by_metric() {
        let mut batcher = batcher(&[
            "{__name__=\"up\", a=\"1\"} 1 10",
            "{__name__=\"up\", a=\"2\"} 1 5",
            "{__name__=\"up\", a=\"1\"} 2 10",
            "{__name__=\"up\", a=\"1\"} 3 20",
            "{__name__=\"down\"} 1 7",
        ]);
        let end = Some(Position { offset: 9, lines: 5 });
        let batch = batcher.take(end);
        assert_eq!((batch.series.len(), batch.end), (3, end));
        assert_eq!(batch.series[0].samples, [(10, 1.0), (10, 2.0), (20, 3.0)]);
        assert_eq!((batch.tally.samples, batch.tally.duplicates), (5, 1));
        assert_eq!(
            batch.tally.metrics["up"],
            Count {
                samples: 3,
                ts_min: 5,
                ts_max: 20
            }
        );
        assert_eq!((batch.tally.distinct(), batch.tally.range()), (4, Some((5, 20))));
        // A duplicate across batches is one too.
        let Ok(Line::Sample(again)) = dump::parse("{__name__=\"down\"} 2 7") else {
            panic!()
        };
        batcher.add(&again, Escapes::Go).unwrap();
        let next = batcher.take(end);
        assert_eq!((next.tally.duplicates, next.tally.distinct()), (1, 0));
        let mut all = batch.tally.clone();
        all.add(&next.tally);
        assert_eq!((all.samples, all.distinct()), (6, 4));
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let mut batcher = Batcher::default();
        for (line, expected) in [("{} 1 5", "without labels"), ("{a=\"b\"} 1 -5", "before 1970")] {
            let Ok(Line::Sample(sample)) = dump::parse(line) else {
                panic!()
            };
            let message = batcher.add(&sample, Escapes::Go).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        assert!(batcher.take(None).series.is_empty());
    }
}
