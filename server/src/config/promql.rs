//! `[promql]`: what queries may take, what the language is, and where queries are written down.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use barograph_model::MemoryBudget;
use barograph_promql::syntax::ParseOptions;
use barograph_promql::{LOOKBACK_MS, SAMPLES_MAX};
use barograph_query::promql::PromqlLimits;

use super::section::Section;

/// What one query may take, and how many there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromqlConfig {
    /// `timeout`: a query is ended after it, the wait for its turn included. Default `2m`.
    pub timeout_ms: i64,
    /// `samples`: what one query may hold in memory at a time. Default 50000000.
    pub samples_max: u64,
    /// `lookback`: how far back an instant selector looks. Default `5m`.
    pub lookback_ms: i64,
    /// `concurrency`: queries that run at once. Default: twice the number of cores.
    pub concurrency: Option<usize>,
    /// `queue`: queries that wait for their turn; one more is refused. Default 256.
    pub queue: usize,
    /// `query_log`: a file that gets a line of JSON for every query.
    pub query_log: Option<PathBuf>,
    /// `experimental_functions`, `duration_expressions`, `extended_range_selectors`, `fill_modifiers`: syntax that
    /// Prometheus has behind flags.
    pub parse: ParseOptions,
}

impl Default for PromqlConfig {
    fn default() -> Self {
        Self {
            timeout_ms: 120_000,
            samples_max: SAMPLES_MAX,
            lookback_ms: LOOKBACK_MS,
            concurrency: None,
            queue: 256,
            query_log: None,
            parse: ParseOptions::default(),
        }
    }
}

impl PromqlConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let default = Self::default();
        // 0 is below the least that can be written, so it stands for an absent key.
        let concurrency = section.integer("concurrency", 1, 1_000, 0) as usize;
        let query_log = section.text("query_log", "queries.jsonl");
        if query_log.is_some_and(|path| path.trim().is_empty()) {
            section.problem("query_log", "query_log is empty (leave it out for no log)");
        }
        let config = Self {
            timeout_ms: section.duration_ms("timeout", "2m", default.timeout_ms),
            samples_max: section.integer("samples", 1, 1 << 40, default.samples_max),
            lookback_ms: section.duration_ms("lookback", "5m", default.lookback_ms),
            concurrency: (concurrency > 0).then_some(concurrency),
            queue: section.integer("queue", 0, 1_000_000, default.queue as u64) as usize,
            query_log: query_log.map(PathBuf::from),
            parse: ParseOptions {
                experimental_functions: section.boolean("experimental_functions", false),
                duration_expressions: section.boolean("duration_expressions", false),
                extended_range_selectors: section.boolean("extended_range_selectors", false),
                fill_modifiers: section.boolean("fill_modifiers", false),
                ..default.parse
            },
        };
        section.finish();
        config
    }

    /// What the engine is started with.
    #[must_use]
    pub fn limits(&self, memory: &Arc<MemoryBudget>) -> PromqlLimits {
        let default = PromqlLimits::default();
        PromqlLimits {
            timeout: Duration::from_millis(self.timeout_ms.unsigned_abs()),
            samples_max: self.samples_max,
            lookback_ms: self.lookback_ms,
            running_max: self.concurrency.unwrap_or(default.running_max),
            waiting_max: self.queue,
            memory: Arc::clone(memory),
            parse: self.parse.clone(),
            ..default
        }
    }
}
