//! A store to ask: a real engine on a simulated disk.

use std::sync::Arc;

use barograph_engine::vfs::SimVfs;
use barograph_engine::{Engine, Options, RollupWidth, SampleColumns};
use barograph_model::{Labels, ManualClock, TimeRange, TimestampMs};

use crate::histogram::FloatHistogram;
use crate::syntax::{ParseOptions, parse};
use crate::{Answer, EvalOptions, Grid, Interrupt, Query, QueryError, RollupUse, evaluate};

/// Where the store's clock stands: a year after the epoch, at which scripts begin.
const NOW_MS: i64 = 365 * 86_400_000;

/// Where samples are when they are asked for. The answer must not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// In memory, none written to a segment.
    Memory,
    /// In merged segments, none in memory.
    Merged,
    /// The first half of each load in segments, the rest in memory.
    Half,
}

impl Layout {
    pub(super) const ALL: [Self; 3] = [Self::Memory, Self::Merged, Self::Half];
}

/// What is stored at an instant; [`stale_nan`](barograph_model::stale_nan) is a float.
#[derive(Debug, Clone)]
pub(super) enum Stored {
    Float(f64),
    Histogram(FloatHistogram),
}

/// A series with its samples.
#[derive(Debug, Clone)]
pub(super) struct StoredSeries {
    pub(super) labels: Labels,
    pub(super) samples: Vec<(i64, Stored)>,
}

/// A store, and how it is filled.
pub(super) struct Store {
    engine: Arc<Engine>,
    layout: Layout,
}

impl Store {
    pub(super) fn new(layout: Layout) -> Self {
        let clock = Arc::new(ManualClock::new(TimestampMs(NOW_MS)));
        let options = Options {
            background: false,
            retention_ms: None,
            future_ms_max: 100 * NOW_MS,
            // The simulated disk copies what is reserved.
            wal_file_bytes: 1 << 16,
            store_key: Some(1),
            ..Options::default()
        };
        let engine = Engine::open(Arc::new(SimVfs::new(0)), clock, options).unwrap();
        Self { engine, layout }
    }

    /// Adds samples, and puts them where the layout wants them.
    pub(super) fn load(&self, series: &[StoredSeries]) {
        match self.layout {
            Layout::Memory => self.append(series, |_, _| true),
            Layout::Merged => {
                // Two files at least, so that there is something to merge.
                self.append(series, |i, len| i < len / 2);
                self.engine.flush().unwrap();
                self.append(series, |i, len| i >= len / 2);
                self.engine.flush().unwrap();
                while self.engine.compact_once().unwrap().is_some() {}
            }
            Layout::Half => {
                self.append(series, |i, len| i < len / 2);
                self.engine.flush().unwrap();
                self.append(series, |i, len| i >= len / 2);
            }
        }
    }

    /// Adds samples that stay in memory, whatever the layout.
    pub(super) fn append_late(&self, series: &[StoredSeries]) {
        self.append(series, |_, _| true);
    }

    /// Whether a day has been rolled up.
    pub(super) fn has_rollups(&self) -> bool {
        let snapshot = self.engine.snapshot();
        RollupWidth::ALL
            .into_iter()
            .all(|width| snapshot.has_rollup(TimeRange::ALL, width))
    }

    /// Appends those samples of each series that are chosen by their place and the number of all.
    fn append(&self, series: &[StoredSeries], chosen: impl Fn(usize, usize) -> bool) {
        let head = self.engine.head();
        let mut columns = SampleColumns::new(&head);
        for StoredSeries { labels, samples } in series {
            let series = head.series(labels);
            let chosen = (0..samples.len()).filter(|i| chosen(*i, samples.len()));
            for (ts, value) in chosen.map(|i| &samples[i]) {
                match value {
                    Stored::Float(float) => columns.push(series, *ts, *float),
                    Stored::Histogram(histogram) => {
                        columns.push_histogram(series, *ts, histogram.to_stored().unwrap());
                    }
                }
            }
        }
        if !columns.is_empty() {
            self.engine.append_blocking(columns).unwrap();
        }
    }

    /// Asks at one instant; the error as text, of the parser or of the evaluator.
    pub(super) fn instant(&self, text: &str, ts: i64) -> Result<Answer, String> {
        self.ask_text(text, Grid::instant(ts), false, RollupUse::default())
    }

    /// Asks over a range of steps.
    pub(super) fn range(&self, text: &str, grid: Grid) -> Result<Answer, String> {
        self.ask_text(text, grid, true, RollupUse::default())
    }

    /// Asks over a range of steps, with or without rollups.
    pub(super) fn range_with(&self, text: &str, grid: Grid, rollup: RollupUse) -> Result<Answer, String> {
        self.ask_text(text, grid, true, rollup)
    }

    fn ask_text(&self, text: &str, grid: Grid, is_range: bool, rollup: RollupUse) -> Result<Answer, String> {
        let expr = parse(text, &ParseOptions::experimental()).map_err(|error| error.to_string())?;
        let query = Query {
            text: text.into(),
            expr,
            grid,
            is_range,
        };
        let options = EvalOptions {
            rollup,
            ..EvalOptions::default()
        };
        self.ask(&query, &options, &Interrupt::default())
            .map_err(|error| error.to_string())
    }

    /// Asks within limits.
    pub(super) fn ask(
        &self,
        query: &Query,
        options: &EvalOptions,
        interrupt: &Interrupt,
    ) -> Result<Answer, QueryError> {
        evaluate(&self.engine.snapshot(), query, options, interrupt)
    }
}
