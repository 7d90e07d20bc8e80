//! The rows of one series from several segments, merged in order of time, in blocks.

use barograph_model::SeriesId;

use crate::Result;
use crate::segment::SegmentStream;
use crate::tombstone::Mask;

/// Rows of a block that is handed on.
pub(super) const BLOCK_ROWS: usize = 1 << 14;

/// Rows of the series at hand that one segment has ready. Memory: what a stream decodes at a time.
#[derive(Debug, Default)]
pub(super) struct Ready {
    ts: Vec<i64>,
    values: Vec<f64>,
    at: usize,
}

impl Ready {
    /// The first row's instant.
    fn head(&self) -> Option<i64> {
        self.ts.get(self.at).copied()
    }

    /// Takes more from the stream when all is used up. What deletes hide in this segment, and what lies before
    /// `oldest`, is left out.
    pub(super) fn refill(
        &mut self,
        stream: &mut SegmentStream,
        mask: &Mask,
        id: SeriesId,
        oldest: i64,
    ) -> Result<()> {
        while self.at >= self.ts.len() {
            self.ts.clear();
            self.values.clear();
            self.at = 0;
            if !stream.take(&mut self.ts, &mut self.values)? {
                return Ok(());
            }
            mask.filter(id, 0, &mut self.ts, &mut self.values);
            self.at = self.ts.partition_point(|ts| *ts < oldest);
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.ts.clear();
        self.values.clear();
        self.at = 0;
    }
}

/// Rows on their way out.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) ts: Vec<i64>,
    pub(super) values: Vec<f64>,
}

impl Block {
    pub(super) fn clear(&mut self) {
        self.ts.clear();
        self.values.clear();
    }

    pub(super) fn is_full(&self) -> bool {
        self.ts.len() >= BLOCK_ROWS
    }

    /// Takes the next rows of `sources[i]` for each `i` of `same`, which names the older before the newer. All of them
    /// have been refilled. Of equal instants the newest source's row is taken. Returns `false` when there are none.
    pub(super) fn take(&mut self, sources: &mut [Ready], same: &[usize]) -> bool {
        let mut first: Option<(i64, usize)> = None;
        for i in same {
            if let Some(head) = sources[*i].head()
                && first.is_none_or(|(ts, _)| head <= ts)
            {
                first = Some((head, *i));
            }
        }
        let Some((first, newest)) = first else {
            return false;
        };
        let mut is_repeated = false;
        let mut until = i64::MAX;
        for i in same.iter().filter(|i| **i != newest) {
            let source = &mut sources[*i];
            match source.head() {
                Some(ts) if ts == first => {
                    source.at += 1;
                    is_repeated = true;
                }
                Some(ts) => until = until.min(ts),
                None => {}
            }
        }
        let source = &mut sources[newest];
        let rows = &source.ts[source.at..];
        let taken = match is_repeated {
            true => 1, // what follows in the others may not be decoded yet
            false => {
                let room = BLOCK_ROWS.saturating_sub(self.ts.len()).clamp(1, rows.len());
                rows[..room].partition_point(|ts| *ts < until).max(1)
            }
        };
        let end = source.at + taken;
        self.ts.extend_from_slice(&source.ts[source.at..end]);
        self.values.extend_from_slice(&source.values[source.at..end]);
        source.at = end;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn merges_as_a_map_does(
            sources in proptest::collection::vec(proptest::collection::btree_set(0i64..60, 0..40), 0..6),
        ) {
            let mut expected = BTreeMap::new();
            let mut ready = Vec::new();
            for (age, source) in sources.iter().enumerate() {
                expected.extend(source.iter().map(|ts| (*ts, age as f64)));
                ready.push(Ready {
                    ts: source.iter().copied().collect(),
                    values: vec![age as f64; source.len()],
                    at: 0,
                });
            }
            let mut block = Block::default();
            let same: Vec<usize> = (0..ready.len()).collect();
            while block.take(&mut ready, &same) {}
            let found: Vec<_> = block.ts.into_iter().zip(block.values).collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
