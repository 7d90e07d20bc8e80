//! One `[[detector]]`: its series, and what it knows of each.

use std::collections::{HashMap, HashSet};

use barograph_detectors::{Context, Detector, DetectorError, Params, Verdict, build};
use barograph_engine::{Engine, EngineError, SampleBlock, SampleColumns, SeriesSet, Snapshot};
use barograph_model::{Matcher, SeriesId, TimeRange, TimestampMs};
use barograph_query::{SelectorError, parse_selector};
use rayon::prelude::*;
use thiserror::Error;

use super::{Resampler, VERDICT_PREFIX, VerdictSeries};
use crate::config::DetectorConfig;

/// Samples gathered before they are given to the detectors: what a replay of history holds at a time.
const GATHERED_SAMPLES: usize = 1 << 20;

/// How long after a step its samples may still arrive: as long as Prometheus gathers them before it sends.
const ARRIVAL_MS: i64 = 10_000;

/// How much of what was read before is read again, for samples that came late.
const LATE_MS: i64 = 300_000;

/// Why a `[[detector]]` cannot work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WatchError {
    /// Its selector is not one.
    #[error("detector {name:?}, on line {line} of the configuration: {source}")]
    Selector {
        /// The detector's configured name.
        name: String,
        /// Where it is configured.
        line: usize,
        /// What is wrong.
        source: SelectorError,
    },
    /// Its kind or its parameters are refused.
    #[error("detector {name:?}, on line {line} of the configuration: {source}")]
    Detector {
        /// The detector's configured name.
        name: String,
        /// Where it is configured.
        line: usize,
        /// What is wrong.
        source: DetectorError,
    },
}

/// A configured detector at work.
pub struct Watch {
    config: DetectorConfig,
    matchers: Vec<Matcher>,
    params: Params,
    /// verdicts up to here were stored by an earlier run
    stored_until: TimestampMs,
    /// samples up to here were read, but for those that came later than they should
    read_until: TimestampMs,
    /// when this run began: before it, only anomalies are stored
    started: TimestampMs,
    series: HashMap<SeriesId, Watched>,
}

/// What a watch knows of one series.
struct Watched {
    resampler: Resampler,
    detector: Box<dyn Detector>,
    out: VerdictSeries,
    gathered: Vec<(i64, f64)>,
    verdicts: Vec<(TimestampMs, f64, Verdict)>,
}

impl Watch {
    /// Checks the configuration: the selector, the kind and its parameters.
    ///
    /// # Errors
    /// [`WatchError`] names the detector and its line.
    pub fn new(config: DetectorConfig) -> Result<Self, WatchError> {
        let (name, line) = (config.name.clone(), config.line);
        let matchers = parse_selector(&config.selector).map_err(|source| WatchError::Selector {
            name: name.clone(),
            line,
            source,
        })?;
        let params: Params = config
            .params
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let watch = Self {
            matchers,
            params,
            stored_until: TimestampMs::MIN,
            read_until: TimestampMs::MIN,
            started: TimestampMs::MIN,
            series: HashMap::new(),
            config,
        };
        watch
            .build()
            .map_err(|source| WatchError::Detector { name, line, source })?;
        Ok(watch)
    }

    /// The configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The distance of its points.
    #[must_use]
    pub fn step_ms(&self) -> i64 {
        self.config.step_ms
    }

    /// Series that it follows.
    #[must_use]
    pub fn series_len(&self) -> usize {
        self.series.len()
    }

    /// Brings the watch up to `now` and gives the verdicts as samples, to be written. The first call replays the
    /// history, and stores of it only anomalies that no earlier run has stored.
    ///
    /// # Errors
    /// [`EngineError`] when the store cannot be read; the watch then goes on where it stopped.
    pub fn advance(&mut self, engine: &Engine, now: TimestampMs) -> Result<SampleColumns, EngineError> {
        let snapshot = engine.snapshot();
        if self.started == TimestampMs::MIN {
            self.stored_until = self.last_stored(&snapshot)?;
            self.started = now;
        }
        let until = now
            .saturating_add(-ARRIVAL_MS.min(self.config.step_ms))
            .align(self.config.step_ms);
        let oldest = now.saturating_add(-self.config.history_ms);
        // Its own verdicts are never watched: with a wide selector each would beget the next.
        let selected = snapshot
            .select(
                &self.matchers,
                TimeRange {
                    start: oldest,
                    end: until,
                },
            )?
            .filter(|labels| !labels.metric().starts_with(VERDICT_PREFIX))?;
        let (known, new): (Vec<usize>, Vec<usize>) =
            (0..selected.len()).partition(|i| self.series.contains_key(&selected.id(*i)));
        let (known, new) = (selected.at(&known), selected.at(&new));
        let mut columns = SampleColumns::new(&engine.head());
        self.enter_new(&columns, &new, oldest)?;
        let recent = self.read_until.saturating_add(-LATE_MS).max(oldest);
        for (series, from) in [(new, oldest), (known, recent)] {
            let range = TimeRange {
                start: from,
                end: until,
            };
            self.follow(&snapshot, &series, range, &mut columns)?;
        }
        self.read_until = until;
        self.judge(Some(until), &mut columns);
        // A series that has left the store, or has been silent for the whole history, is forgotten.
        let kept: HashSet<SeriesId> = (0..selected.len()).map(|i| selected.id(i)).collect();
        self.series.retain(|series, watched| {
            kept.contains(series) && watched.resampler.last_ts().is_none_or(|ts| ts >= oldest.0)
        });
        Ok(columns)
    }

    /// Reads some series and gives what is complete to the detectors. What was read before is passed over.
    fn follow(
        &mut self,
        snapshot: &Snapshot,
        series: &SeriesSet,
        range: TimeRange,
        columns: &mut SampleColumns,
    ) -> Result<(), EngineError> {
        let (mut block, mut gathered) = (SampleBlock::default(), 0);
        for mut partition in snapshot.scan(series, range).into_partitions() {
            while partition.next_block(&mut block)? {
                self.gather(series, &block);
                gathered += block.len();
                if gathered >= GATHERED_SAMPLES {
                    self.judge(None, columns);
                    gathered = 0;
                }
            }
        }
        Ok(())
    }

    fn build(&self) -> Result<Box<dyn Detector>, DetectorError> {
        let context = Context {
            width: 1,
            step_ms: self.config.step_ms,
        };
        build(&self.config.kind, &self.params, &context)
    }

    fn enter_new(
        &mut self,
        columns: &SampleColumns,
        selected: &SeriesSet,
        oldest: TimestampMs,
    ) -> Result<(), EngineError> {
        for position in 0..selected.len() {
            // `new` has built one with the same parameters, so this cannot fail.
            let Ok(detector) = self.build() else { continue };
            let watched = Watched {
                resampler: Resampler::new(self.config.transform, self.config.step_ms, oldest),
                detector,
                out: VerdictSeries::new(
                    columns.head(),
                    &self.config.name,
                    selected.labels(position)?.as_ref(),
                ),
                gathered: Vec::new(),
                verdicts: Vec::new(),
            };
            self.series.insert(selected.id(position), watched);
        }
        Ok(())
    }

    fn gather(&mut self, set: &SeriesSet, block: &SampleBlock) {
        let mut start = 0;
        for run in &block.runs {
            if let Some(watched) = self.series.get_mut(&set.id(run.series)) {
                let rows = block.ts[start..run.end].iter().copied();
                watched
                    .gathered
                    .extend(rows.zip(block.values[start..run.end].iter().copied()));
            }
            start = run.end;
        }
    }

    /// Gives what was gathered to the detectors, on all cores, and their verdicts to `columns`.
    fn judge(&mut self, until: Option<TimestampMs>, columns: &mut SampleColumns) {
        let (started, stored_until) = (self.started, self.stored_until);
        let worth_storing =
            |ts: TimestampMs, verdict: &Verdict| ts > started || (verdict.is_anomaly && ts > stored_until);
        self.series
            .par_iter_mut()
            .for_each(|(_, watched)| watched.judge(until));
        for watched in self.series.values_mut() {
            for (ts, value, verdict) in watched.verdicts.drain(..) {
                if worth_storing(ts, &verdict) {
                    watched.out.push(ts, value, &verdict, columns);
                }
            }
        }
    }

    /// The newest verdict that an earlier run has stored.
    fn last_stored(&self, snapshot: &Snapshot) -> Result<TimestampMs, EngineError> {
        let metric = format!("{VERDICT_PREFIX}score");
        let matchers = [
            Matcher::equal(barograph_model::METRIC_NAME, &metric),
            Matcher::equal("detector", &self.config.name),
        ];
        let series = snapshot.select(&matchers, TimeRange::ALL)?;
        let mut block = SampleBlock::default();
        // From the newest stretch of time back: the first that has a row has the newest row. A stretch may be dealt out to
        // several partitions, but the few series of a detector's scores are not worth that.
        for mut partition in snapshot
            .scan(&series, TimeRange::ALL)
            .into_partitions()
            .into_iter()
            .rev()
        {
            let mut newest = None;
            while partition.next_block(&mut block)? {
                newest = newest.max(block.ts.iter().copied().max());
            }
            if let Some(ts) = newest {
                return Ok(TimestampMs(ts));
            }
        }
        Ok(TimestampMs::MIN)
    }
}

impl Watched {
    fn judge(&mut self, until: Option<TimestampMs>) {
        let mut steps = Vec::new();
        for (ts, value) in self.gathered.drain(..) {
            self.resampler.push(ts, value, &mut steps);
        }
        if let Some(until) = until {
            self.resampler.finish(until, &mut steps);
        }
        for (ts, value) in steps {
            if let Some(verdict) = self.detector.observe(ts, &[value]) {
                self.verdicts.push((ts, value, verdict));
            }
        }
    }
}
