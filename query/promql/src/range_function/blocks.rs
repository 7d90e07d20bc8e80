//! What long windows share: the samples in blocks of fixed places, each summed up once.
//!
//! A window is then the end of one block, some whole blocks and the beginning of another. Nothing is ever subtracted, so
//! rounding is no worse than that of a sum from left to right.

use std::ops::Range;

/// Samples of a block.
const BLOCK: usize = 32;

/// Windows with fewer samples than this are gone through one by one.
const WORTH: usize = 4 * BLOCK;

/// Summaries of blocks of a column, made where a window needs them.
pub(super) struct Blocks<'a, S> {
    values: &'a [f64],
    of: fn(&[f64]) -> S,
    merge: fn(S, S) -> S,
    blocks: Vec<S>,
}

impl<'a, S: Copy> Blocks<'a, S> {
    /// `of` sums up some values, at least one; `merge` puts two summaries together, the earlier first.
    pub(super) fn new(values: &'a [f64], of: fn(&[f64]) -> S, merge: fn(S, S) -> S) -> Self {
        Self {
            values,
            of,
            merge,
            blocks: Vec::new(),
        }
    }

    /// The summary of a window that is not empty.
    pub(super) fn summary(&mut self, window: Range<usize>) -> S {
        if window.len() < WORTH {
            return (self.of)(&self.values[window]);
        }
        let first = window.start.div_ceil(BLOCK);
        let last = window.end / BLOCK;
        while self.blocks.len() < last {
            let start = self.blocks.len() * BLOCK;
            self.blocks.push((self.of)(&self.values[start..start + BLOCK]));
        }
        let (head, tail) = (window.start..first * BLOCK, last * BLOCK..window.end);
        let mut sum = self.blocks[first];
        if !head.is_empty() {
            sum = (self.merge)((self.of)(&self.values[head]), sum);
        }
        for block in &self.blocks[first + 1..last] {
            sum = (self.merge)(sum, *block);
        }
        if !tail.is_empty() {
            sum = (self.merge)(sum, (self.of)(&self.values[tail]));
        }
        sum
    }
}
