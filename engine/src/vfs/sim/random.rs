//! Chance that follows from a seed (SplitMix64, Steele, Lea, Flood 2014).

/// A stream of numbers. The store ships this file, so it does not bring the crates that tests use for chance.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0. The bias is far below what a simulation could notice.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Heads or tails.
    pub(super) fn flip(&mut self) -> bool {
        self.next() & 1 == 1
    }
}
