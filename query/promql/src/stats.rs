//! What a query cost.

use barograph_engine::{RollupWidth, ScanStats};

use crate::syntax::SourceSpan;

/// What a query cost, in all and by selector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryStats {
    /// Samples that selectors gave to functions and operators, as Prometheus counts `totalQueryableSamples`.
    pub samples_total: u64,
    /// The same by step, where it was asked for.
    pub samples_by_step: Vec<(i64, u64)>,
    /// The most samples that were held at one time.
    pub samples_peak: u64,
    /// Each selector with what it read, in the order in which they were evaluated.
    pub selectors: Vec<SelectorStats>,
}

/// What one selector read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectorStats {
    /// Where it stands in the query.
    pub span: SourceSpan,
    /// Series, rows and files of its scan.
    pub scan: ScanStats,
    /// The rollup that answered in the place of rows, and how many buckets of matching series it had.
    pub rollup: Option<(RollupWidth, u64)>,
}
