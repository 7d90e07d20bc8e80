//! What is kept of a query when it has ended.

use std::sync::Arc;

use barograph_engine::ScanStats;
use barograph_model::TimestampMs;
use barograph_promql::QueryStats;

/// How long the parts of a query took, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueryTimes {
    /// The wait for a place.
    pub queued_ns: u64,
    /// Reading the text.
    pub prepared_ns: u64,
    /// Evaluating it.
    pub evaluated_ns: u64,
    /// From the call to the end.
    pub total_ns: u64,
}

/// What one selector of a query read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorCost {
    /// The selector as it is written.
    pub text: String,
    /// Series, rows and files.
    pub scan: ScanStats,
    /// The width of the rollup that answered in the place of rows, and its buckets of matching series.
    pub rollup: Option<(&'static str, u64)>,
}

impl SelectorCost {
    /// Each selector of a query, in the order in which they were evaluated.
    #[must_use]
    pub fn of(text: &str, stats: &QueryStats) -> Vec<Self> {
        let cost = |selector: &barograph_promql::SelectorStats| {
            let (start, end) = (selector.span.start as usize, selector.span.end as usize);
            Self {
                text: text.get(start..end).unwrap_or_default().to_owned(),
                scan: selector.scan,
                rollup: selector.rollup.map(|(width, buckets)| (width.as_str(), buckets)),
            }
        };
        stats.selectors.iter().map(cost).collect()
    }
}

/// A query that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRecord {
    /// Its text.
    pub text: Arc<str>,
    /// Who asked.
    pub client: Arc<str>,
    /// Whether it was asked over a range.
    pub is_range: bool,
    /// The first step, in milliseconds since the epoch.
    pub start_ms: i64,
    /// The last step.
    pub end_ms: i64,
    /// The distance of steps in milliseconds; 0 of an instant query.
    pub step_ms: i64,
    /// When it came.
    pub started_at: TimestampMs,
    /// How long it took.
    pub times: QueryTimes,
    /// Samples that its selectors gave, as Prometheus counts them.
    pub samples_total: u64,
    /// The most samples that it held at one time.
    pub samples_peak: u64,
    /// What its selectors read.
    pub selectors: Vec<SelectorCost>,
    /// The type of its error and the message, where it failed.
    pub error: Option<(&'static str, String)>,
}
