//! Seeded signals: a daily wave with noise, and what a test does to it.

use barograph_detectors::Table;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const MINUTES_5: i64 = 300_000;
/// 2026-01-05, a Monday, as milliseconds.
pub(crate) const MONDAY: i64 = 1_767_571_200_000;

/// Five-minute values over `days`: level 100, a daily wave of amplitude 20, noise of standard deviation about 1.
pub(crate) fn daily(seed: u64, days: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..days * 288)
        .map(|row| {
            let noise: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
            100.0 + 20.0 * (row as f64 / 288.0 * std::f64::consts::TAU).sin() + noise
        })
        .collect()
}

/// The values as a table of one column, five minutes apart.
pub(crate) fn table(values: Vec<f64>) -> Table {
    wide(vec![values])
}

/// Columns of equal length, five minutes apart.
pub(crate) fn wide(columns: Vec<Vec<f64>>) -> Table {
    let rows = columns.first().map_or(0, Vec::len);
    Table {
        time_ms: Some((0..rows as i64).map(|row| MONDAY + row * MINUTES_5).collect()),
        columns: columns
            .into_iter()
            .enumerate()
            .map(|(i, values)| (format!("c{i}"), values))
            .collect(),
    }
}
