//! Values as exporters write them, six in ten constant, two counters, two noisy gauges: about what a real
//! node_exporter shows.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The current value of each of some series. Seeded: the same seed gives the same values.
#[derive(Debug, Clone)]
pub struct Values {
    random: ChaCha8Rng,
    current: Vec<f64>,
}

impl Values {
    /// Values of this many series before the first scrape.
    #[must_use]
    pub fn new(seed: u64, series: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let current = (0..series)
            .map(|_| f64::from(random.random_range(0..100_000)))
            .collect();
        Self { random, current }
    }

    /// The value of a series at its next scrape.
    pub fn next(&mut self, series: usize) -> f64 {
        let value = &mut self.current[series];
        // Families repeat every twenty series, so the kind of a series must not depend on that.
        match (series / 20 + series) % 10 {
            0..6 => {}
            6 | 7 => *value += f64::from(self.random.random_range(0..1_000)),
            _ => *value = f64::from(self.random.random_range(0..1_000_000)) / 100.0,
        }
        *value
    }

    /// Milliseconds by which a scrape is late: a few.
    pub fn late_ms(&mut self) -> i64 {
        self.random.random_range(0..5)
    }
}
