//! The past of one series at a resolution that halves as it grows: what periods are learned from.
//!
//! At most [`CAPACITY`] bins of equal width, each the mean of the values inside it, NaN where there were
//! none. When they are full, the width doubles; once it has reached [`WIDEST_MS`] the oldest half is dropped
//! instead, so that a month-long memory stays fine enough for the hours of a day.

use barograph_model::TimestampMs;

use crate::error::DetectorError;
use crate::state::{Reader, Writer};

/// Bins kept at most: four weeks at ten minutes.
pub(crate) const CAPACITY: usize = 4096;
/// The widest bin.
const WIDEST_MS: i64 = 1_200_000;

/// Values by time bin.
#[derive(Debug, Clone)]
pub(crate) struct History {
    bin_ms: i64,
    widest_ms: i64,
    /// Number of the first bin: its instant divided by the width, rounded down.
    first: i64,
    sums: Vec<f64>,
    counts: Vec<f64>,
}

impl History {
    /// An empty history of rows that come every `step_ms`.
    pub(crate) fn new(step_ms: i64) -> Self {
        // As many doublings of the step as stay within the widest bin.
        let mut widest_ms = step_ms;
        while widest_ms * 2 <= WIDEST_MS {
            widest_ms *= 2;
        }
        Self {
            bin_ms: step_ms,
            widest_ms,
            first: 0,
            sums: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// Width of a bin in milliseconds.
    pub(crate) fn bin_ms(&self) -> i64 {
        self.bin_ms
    }

    /// Bins between the first value and the last.
    pub(crate) fn len(&self) -> usize {
        self.sums.len()
    }

    /// The middle of bin `index`.
    pub(crate) fn instant(&self, index: usize) -> TimestampMs {
        let bin = self.first.saturating_add(index as i64);
        TimestampMs(bin.saturating_mul(self.bin_ms).saturating_add(self.bin_ms / 2))
    }

    /// The means, NaN where nothing was seen.
    pub(crate) fn means(&self) -> Vec<f64> {
        self.sums
            .iter()
            .zip(&self.counts)
            .map(|(sum, count)| sum / count)
            .collect()
    }

    /// Adds a finite value. One from before the first bin is left out.
    pub(crate) fn push(&mut self, ts: TimestampMs, value: f64) {
        if self.sums.is_empty() {
            self.first = ts.0.div_euclid(self.bin_ms);
        }
        loop {
            let ahead = ts.0.div_euclid(self.bin_ms).saturating_sub(self.first);
            if ahead < 0 {
                return;
            }
            if ahead >= 16 * CAPACITY as i64 {
                // After such a silence the past says nothing of the present.
                self.sums.clear();
                self.counts.clear();
                self.first = ts.0.div_euclid(self.bin_ms);
                continue;
            }
            let index = ahead as usize;
            if index >= CAPACITY {
                self.make_room(index);
                continue;
            }
            if index >= self.sums.len() {
                self.sums.resize(index + 1, 0.0);
                self.counts.resize(index + 1, 0.0);
            }
            self.sums[index] += value;
            self.counts[index] += 1.0;
            return;
        }
    }

    fn make_room(&mut self, wanted: usize) {
        if self.bin_ms >= self.widest_ms {
            let drop = (CAPACITY / 2).max(wanted + 1 - CAPACITY);
            let gone = drop.min(self.sums.len());
            self.sums.drain(..gone);
            self.counts.drain(..gone);
            self.first += drop as i64;
            return;
        }
        let odd = self.first.rem_euclid(2) as usize;
        let merged = (self.sums.len() + odd).div_ceil(2);
        let fold = |old: &[f64]| {
            let mut new = vec![0.0; merged];
            for (index, value) in old.iter().enumerate() {
                new[(index + odd) / 2] += value;
            }
            new
        };
        self.sums = fold(&self.sums);
        self.counts = fold(&self.counts);
        self.first = self.first.div_euclid(2);
        self.bin_ms *= 2;
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.i64(self.bin_ms);
        writer.i64(self.widest_ms);
        writer.i64(self.first);
        writer.floats(&self.sums);
        writer.floats(&self.counts);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let (bin_ms, widest_ms, first) = (reader.i64()?.max(1), reader.i64()?, reader.i64()?);
        let sums = reader.floats()?;
        let counts = reader.floats_of(sums.len())?;
        Ok(Self {
            bin_ms,
            widest_ms,
            first,
            sums,
            counts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_doubles_and_the_means_stay() {
        let mut history = History::new(60_000);
        for minute in 0..30_000i64 {
            history.push(TimestampMs(minute * 60_000 - 7_000_000), minute as f64);
        }
        assert!(
            history.len() <= CAPACITY && history.bin_ms() == 480_000,
            "{}",
            history.bin_ms()
        );
        let means = history.means();
        let middle = history.instant(1000).0;
        let minute = (middle + 7_000_000) as f64 / 60_000.0;
        assert!((means[1000] - minute).abs() < 1.0, "{} at {minute}", means[1000]);
    }

    #[test]
    fn extreme_instants_and_silences_do_no_harm() {
        let mut history = History::new(15_000);
        for ts in [i64::MIN, -1, 0, 1, i64::MAX, i64::MAX, 5, i64::MIN] {
            history.push(TimestampMs(ts), 1.0);
            assert!(history.len() <= CAPACITY);
            let _ = history.instant(0);
        }
    }

    #[test]
    fn the_oldest_half_goes_when_bins_are_widest() {
        let mut history = History::new(3_600_000);
        for hour in 0..10_000i64 {
            history.push(TimestampMs(hour * 3_600_000), 1.0);
        }
        assert!(history.bin_ms() == 3_600_000 && history.len() > CAPACITY / 2 && history.len() <= CAPACITY);
    }
}
