//! A number for some of the labels of a series: equal where those labels are.

use barograph_model::{Labels, METRIC_NAME};
use xxhash_rust::xxh3::xxh3_128;

/// Some labels: those named, or all but those named and the metric's name.
#[derive(Debug, Clone)]
pub(crate) struct LabelSelection {
    /// sorted, each once
    names: Vec<String>,
    keeps: bool,
}

impl LabelSelection {
    /// The labels named.
    pub(crate) fn only(names: &[String]) -> Self {
        Self::new(names, true)
    }

    /// All labels but those named, and without the metric's name.
    pub(crate) fn without(names: &[String]) -> Self {
        Self::new(names, false)
    }

    fn new(names: &[String], keeps: bool) -> Self {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        Self { names, keeps }
    }

    /// Those labels of a set that are among them.
    pub(crate) fn of<'l>(&'l self, labels: &'l Labels) -> impl Iterator<Item = (&'l str, &'l str)> + 'l {
        labels.iter().filter(|(name, _)| {
            let is_named = self
                .names
                .binary_search_by(|known| known.as_str().cmp(name))
                .is_ok();
            if self.keeps {
                is_named
            } else {
                !is_named && *name != METRIC_NAME
            }
        })
    }

    /// Those labels as a set.
    pub(crate) fn labels(&self, labels: &Labels) -> Labels {
        // Some of a label set are one.
        Labels::from_pairs(self.of(labels)).unwrap_or_default()
    }

    /// The number of those labels. 128 bits of a good hash: two that differ never meet.
    pub(crate) fn key(&self, labels: &Labels, scratch: &mut Vec<u8>) -> u128 {
        scratch.clear();
        for text in self.of(labels).flat_map(|(name, value)| [name, value]) {
            scratch.extend_from_slice(&(text.len() as u32).to_le_bytes());
            scratch.extend_from_slice(text.as_bytes());
        }
        xxh3_128(scratch)
    }
}
