//! Whether the present stretch looks wrong, and so should teach little, before any single row is an alarm.
//!
//! A slow incident never departs much from one row to the next: a model that learns every row grows its band
//! along with it. The mean of `-ln p` over the last rows is 1 in ordinary operation; where it stays above
//! [`SUSPECT`], rows count a tenth. That ends after a memory of rows: what lasts so long is how things are.

use crate::error::DetectorError;
use crate::state::{Reader, Writer};

/// Rows the mean runs over.
const ROWS: f64 = 24.0;
/// As if every row were one in fifty.
const SUSPECT: f64 = 5.0;
/// What a suspect row counts.
const TRUST: f64 = 0.1;

/// The running mean of one column's surprise.
#[derive(Debug, Clone)]
pub(crate) struct Suspicion {
    mean: f64,
    suspect_rows: f64,
    rows_max: f64,
}

impl Suspicion {
    /// Suspicion lasts at most `rows_max` rows.
    pub(crate) fn new(rows_max: f64) -> Self {
        Self {
            mean: 1.0,
            suspect_rows: 0.0,
            rows_max,
        }
    }

    /// What the next row counts as a lesson, in (0, 1].
    pub(crate) fn trust(&self) -> f64 {
        if self.mean > SUSPECT && self.suspect_rows < self.rows_max {
            TRUST
        } else {
            1.0
        }
    }

    /// Takes the p-value of a row. One row, however rare, is no stretch.
    pub(crate) fn learn(&mut self, p: f64) {
        let surprise = (-p.ln()).min(4.0 * SUSPECT);
        self.mean += (surprise - self.mean) / ROWS;
        self.suspect_rows = if self.mean > SUSPECT {
            self.suspect_rows + 1.0
        } else {
            0.0
        };
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        for number in [self.mean, self.suspect_rows, self.rows_max] {
            writer.f64(number);
        }
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        Ok(Self {
            mean: reader.f64()?,
            suspect_rows: reader.f64()?,
            rows_max: reader.f64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_row_is_trusted_a_rare_stretch_is_not_and_a_new_normal_is_again() {
        let mut suspicion = Suspicion::new(200.0);
        suspicion.learn(1e-12);
        assert_eq!(suspicion.trust(), 1.0);
        (0..100).for_each(|_| suspicion.learn(1e-3));
        assert_eq!(suspicion.trust(), TRUST);
        (0..200).for_each(|_| suspicion.learn(1e-3));
        assert_eq!(suspicion.trust(), 1.0);
    }
}
