//! The whole store on the simulated disk, against a map: power cuts, kills, full disks, failing syncs, while it
//! writes, flushes, merges, deletes and drops what is too old.
//!
//! The promise: what was acknowledged is there, once, with the value written last; what was refused may be
//! there or not; what was deleted or is too old is not; nothing else is.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Clock, Labels, ManualClock, Matcher, TimeRange, TimestampMs, stale_nan};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::rollup::views;
use crate::vfs::{SimVfs, for_each_seed};
use crate::{
    Engine, EngineError, Options, Result, RetentionRule, RollupKeep, RollupOptions, RollupWidth, SampleBlock,
    SampleColumns,
};

mod faults;
mod lanes;

const NOW: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;
const RETENTION_MS: i64 = 36 * HOUR_MS;
/// How long series of the metric `up` are kept.
const RETENTION_UP_MS: i64 = 9 * HOUR_MS;
/// How long buckets of an hour are kept, but those of `up`.
const RETENTION_ONE_HOUR_MS: i64 = 60 * HOUR_MS;
const SERIES: usize = 12;

type Key = (String, i64);
type View = BTreeMap<Key, u64>;

/// What may be read for one series and instant.
#[derive(Debug, Clone, Default)]
struct Cell {
    /// The newest acknowledged value.
    certain: Option<u64>,
    /// Refused writes since then.
    possible: Vec<u64>,
    /// A delete was refused, which may come into force with the next start.
    may_be_gone: bool,
    /// Every value ever written: one of them shows when a damaged file held the newest.
    history: Vec<u64>,
}

#[derive(Debug, Default)]
struct Model {
    cells: BTreeMap<Key, Cell>,
}

impl Model {
    fn write(&mut self, rows: &[(Key, u64)], is_acknowledged: bool) {
        for (key, bits) in rows {
            let cell = self.cells.entry(key.clone()).or_default();
            cell.history.push(*bits);
            if is_acknowledged {
                cell.certain = Some(*bits);
                cell.possible.clear();
                cell.may_be_gone = false;
            } else {
                cell.possible.push(*bits);
            }
        }
    }

    fn delete(&mut self, labels: &str, range: TimeRange, is_acknowledged: bool) {
        for ((series, ts), cell) in &mut self.cells {
            if series.contains(labels) && range.contains(TimestampMs(*ts)) {
                if is_acknowledged {
                    // Refused writes may still come back from the log: they were never in the store.
                    cell.certain = None;
                } else {
                    cell.may_be_gone = true;
                }
            }
        }
    }

    /// Whether a view is one that the promise allows at `now`.
    fn check(&self, view: &View, now: i64) {
        for (key, bits) in view {
            let cell = self
                .cells
                .get(key)
                .unwrap_or_else(|| panic!("{key:?} was never written"));
            assert!(!is_expired(key, now), "{key:?} is too old to be read");
            let allowed = cell.certain == Some(*bits) || cell.possible.contains(bits);
            assert!(allowed, "{key:?} is {bits:x}, which is not of {cell:x?}");
        }
        for (key, cell) in &self.cells {
            let is_needed = cell.certain.is_some() && !cell.may_be_gone && !is_expired(key, now);
            let is_lost = is_needed && !view.contains_key(key);
            assert!(!is_lost, "{key:?} was acknowledged and is gone: {cell:x?}");
        }
    }

    /// After a restart what is there stays, and what is not there never comes.
    fn settle(&mut self, view: &View) {
        for (key, cell) in &mut self.cells {
            cell.certain = view.get(key).copied();
            cell.possible.clear();
            cell.may_be_gone = false;
        }
    }
}

fn is_expired((series, ts): &Key, now: i64) -> bool {
    let keep_ms = match series.starts_with("up{") {
        true => RETENTION_UP_MS,
        false => RETENTION_MS,
    };
    *ts < now - keep_ms
}

fn options() -> Options {
    let up = RetentionRule {
        matchers: vec![Matcher::equal("__name__", "up")],
        keep_ms: Some(RETENTION_UP_MS),
    };
    Options {
        retention_ms: Some(RETENTION_MS),
        retention_rules: vec![up],
        rollup: RollupOptions {
            five_minutes: RollupKeep::AsRows,
            one_hour: RollupKeep::AtLeast(RETENTION_ONE_HOUR_MS),
        },
        segment_rows_max: 60,
        flush_rows: 90,
        wal_file_bytes: 4096,
        row_group_rows: 20,
        // Heads are renewed all the time.
        silent_series_max: 2,
        store_key: Some(1),
        background: false,
        ..Options::default()
    }
}

fn series(number: usize) -> Labels {
    let instance = format!("i{number}");
    let metric = if number.is_multiple_of(3) { "up" } else { "load" };
    Labels::from_pairs([("__name__", metric), ("instance", &instance), ("job", "sim")]).unwrap()
}

/// Everything that can be read. Damage that a reader meets makes the store set the segment aside.
fn read(engine: &Engine) -> View {
    loop {
        match try_read(engine) {
            Ok(view) => return view,
            Err(error) => assert!(engine.set_aside_damaged().unwrap() > 0, "{error}"),
        }
    }
}

fn try_read(engine: &Engine) -> Result<View> {
    let snapshot = engine.snapshot();
    let set = snapshot.select(&[], TimeRange::ALL)?;
    let mut view = View::new();
    lanes::read(&snapshot, &set, &mut view)?;
    for mut partition in snapshot.scan(&set, TimeRange::ALL).into_partitions() {
        let mut block = SampleBlock::default();
        while partition.next_block(&mut block)? {
            let mut row = 0;
            for run in &block.runs {
                let labels = set.labels(run.series)?.to_string();
                for row in row..run.end {
                    let key = (labels.clone(), block.ts[row]);
                    let earlier = view.insert(key, block.values[row].to_bits());
                    assert_eq!(earlier, None, "{labels} at {} comes twice", block.ts[row]);
                }
                row = run.end;
            }
        }
    }
    Ok(view)
}

/// Holds buckets against the rows, where all of these are kept. Damage as in [`read`].
fn check_rollups(engine: &Engine, now: i64) {
    for width in RollupWidth::ALL {
        loop {
            let snapshot = engine.snapshot();
            let views = views::scanned(&snapshot, TimeRange::ALL, width)
                .and_then(|scanned| Ok((scanned, views::from_rows(&snapshot, width)?)));
            match views {
                Ok((scanned, rows)) => {
                    let is_judged = |labels: &Labels, end: i64| {
                        !is_expired(&(labels.to_string(), width.first_of(end)), now)
                    };
                    assert_eq!(views::difference(&scanned, &rows, is_judged), None, "{width:?}");
                    break;
                }
                Err(error) => assert!(engine.set_aside_damaged().unwrap() > 0, "{error}"),
            }
        }
    }
}

/// One simulated store with everything that happens to it.
struct Simulation {
    vfs: SimVfs,
    clock: Arc<ManualClock>,
    rng: ChaCha8Rng,
    model: Model,
    values: u64,
    /// Whether batches hold histograms, exemplars and metadata beside samples.
    has_lanes: bool,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        Self {
            has_lanes: false,
            vfs: SimVfs::new(seed),
            clock: Arc::new(ManualClock::new(TimestampMs(NOW))),
            rng: ChaCha8Rng::seed_from_u64(seed),
            model: Model::default(),
            values: 0,
        }
    }

    fn with_lanes(seed: u64) -> Self {
        Self {
            has_lanes: true,
            ..Self::new(seed)
        }
    }

    fn options(&self) -> Options {
        let mut options = options();
        if self.has_lanes {
            // A histogram weighs as much as some twenty samples.
            options.flush_rows *= 5;
        }
        options
    }

    fn open(&self) -> Result<Arc<Engine>> {
        self.open_with(self.options())
    }

    fn open_with(&self, options: Options) -> Result<Arc<Engine>> {
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        Engine::open(Arc::new(self.vfs.clone()), clock, options)
    }

    fn now(&self) -> i64 {
        self.clock.now().0
    }

    /// Checks what can be read now.
    fn check(&self, engine: &Engine) {
        self.model.check(&read(engine), self.now());
        check_rollups(engine, self.now());
    }

    /// Opens the store on a disk that works, and checks that the promise was kept.
    fn recover(&mut self, trusts_disk: bool) -> Arc<Engine> {
        let engine = self.open().unwrap();
        let view = read(&engine);
        self.model.check(&view, self.now());
        check_rollups(&engine, self.now());
        if trusts_disk {
            self.model.settle(&view);
        }
        let damages = engine.stats().damages;
        assert!(
            damages.iter().all(|d| !d.path.contains("segments")),
            "{damages:?}"
        );
        engine
    }

    /// Some rows: mostly in order, some late, some twice, all kinds of values.
    fn batch(&mut self, engine: &Engine) -> (SampleColumns, Vec<(Key, u64)>) {
        let head = engine.head();
        let (mut columns, mut rows) = (SampleColumns::new(&head), Vec::new());
        let now = self.now();
        for _ in 0..self.rng.random_range(1..25) {
            let labels = series(self.rng.random_range(0..SERIES));
            let ts = match self.rng.random_range(0..10) {
                0..7 => now - self.rng.random_range(0..20) * 1000,
                7..9 => now - self.rng.random_range(0..RETENTION_MS / 60_000) * 60_000,
                _ => now,
            };
            self.values += 1;
            if self.has_lanes && self.rng.random_bool(0.6) {
                let kind = self.rng.random_range(0..5);
                rows.push(lanes::push(&mut columns, &labels, ts, kind, self.values));
                continue;
            }
            let value = match self.rng.random_range(0..12) {
                0 => f64::NAN,
                1 => stale_nan(),
                2 => f64::INFINITY,
                3 => -0.0,
                4 => self.rng.random(),
                _ => self.values as f64 / 4.0,
            };
            columns.push(head.series(&labels), ts, value);
            rows.push(((labels.to_string(), ts), value.to_bits()));
        }
        (columns, rows)
    }

    fn append(&mut self, engine: &Engine) -> Result<()> {
        let (columns, rows) = self.batch(engine);
        let result = engine.append_blocking(columns);
        self.model.write(&rows, result.is_ok());
        result
    }

    /// Deletes some series over some time.
    fn delete(&mut self, engine: &Engine) -> Result<()> {
        let (name, value) = match self.rng.random_range(0..3) {
            0 => ("job", "sim".to_owned()),
            1 => ("__name__", "load".to_owned()),
            _ => ("instance", format!("i{}", self.rng.random_range(0..SERIES))),
        };
        let end = self.now() - self.rng.random_range(0..6 * HOUR_MS);
        let range = TimeRange::new(end - self.rng.random_range(0..12 * HOUR_MS), end);
        let result = engine.delete(&[Matcher::equal(name, &value)], range).map(drop);
        let labels = match name {
            "__name__" => "load{".to_owned(),
            _ => format!("{name}=\"{value}\""),
        };
        self.model.delete(&labels, range, result.is_ok());
        result
    }

    /// Does what merges are due, at most some of them.
    fn merge(&mut self, engine: &Engine) -> Result<()> {
        for _ in 0..self.rng.random_range(1..6) {
            if engine.compact_once()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Uses the store until the power goes, writes are poisoned, or the steps are over. Gives whether the
    /// disk can be trusted to hold what it shows.
    fn live(&mut self, engine: &Engine, steps: usize) -> bool {
        let mut trusts_disk = true;
        for _ in 0..steps {
            let result = match self.rng.random_range(0..25) {
                0..13 => self.append(engine),
                13..15 => engine
                    .flush()
                    .inspect(|()| assert_eq!(engine.stats().memory_rows, 0)),
                20..23 => self.merge(engine),
                23 => self.delete(engine),
                15 => engine.apply_retention().map(drop),
                16 => {
                    self.clock.advance_ms(self.rng.random_range(0..4 * HOUR_MS));
                    Ok(())
                }
                17 => {
                    let spare = self.rng.random_range(0..20_000);
                    self.vfs.set_capacity(Some(self.vfs.used_bytes() + spare));
                    Ok(())
                }
                18 => {
                    self.vfs.set_capacity(None);
                    Ok(())
                }
                _ => {
                    // The part of the view that is not expired is exact as long as nothing has failed.
                    self.check(engine);
                    Ok(())
                }
            };
            match result {
                Err(EngineError::Poisoned { .. }) => return false,
                Err(_) if self.vfs.is_crashed() => return trusts_disk,
                // A failed sync of a segment or a manifest: the store goes on, the disk has forgotten.
                Err(EngineError::Io { source, .. }) if source.to_string().contains("failing sync") => {
                    trusts_disk = false;
                }
                _ => self.clock.advance_ms(5000),
            }
        }
        trusts_disk
    }
}

/// Six lives, each with a fault or none, and starts that are cut short between them.
fn lives(mut sim: Simulation) {
    let mut trusts_disk = true;
    for _ in 0..6 {
        let engine = sim.recover(trusts_disk);
        match sim.rng.random_range(0..4) {
            0 => sim.vfs.fail_sync_after(sim.rng.random_range(0..40)),
            1..3 => sim.vfs.crash_after(sim.rng.random_range(0..200)),
            _ => {}
        }
        trusts_disk = sim.live(&engine, 40);
        if sim.rng.random_bool(0.2) && !sim.vfs.is_crashed() {
            let _ = engine.close();
        }
        sim.vfs.set_capacity(None);
        if sim.rng.random_bool(0.3) {
            sim.vfs.restart_process();
        } else {
            sim.vfs.restart();
            trusts_disk = true;
        }
        // Opening is work too, and may be cut short as often as the power likes.
        while sim.rng.random_bool(0.4) {
            sim.vfs.crash_after(sim.rng.random_range(0..12));
            let _ = sim.open();
            sim.vfs.restart();
            trusts_disk = true;
        }
    }
    drop(sim.recover(trusts_disk));
}

/// A life that ends after some operations; gives whether it had no more of them.
fn life_cut_after(operations: u64, mut sim: Simulation) -> bool {
    let engine = sim.recover(true);
    sim.vfs.crash_after(operations);
    sim.live(&engine, 25);
    let is_whole_life = !sim.vfs.is_crashed();
    sim.vfs.set_capacity(None);
    sim.vfs.restart();
    let engine = sim.recover(true);
    // The store is as good as new.
    sim.append(&engine).unwrap();
    engine.flush().unwrap();
    while engine.compact_once().unwrap().is_some() {}
    sim.check(&engine);
    sim.vfs.restart();
    drop(sim.recover(true));
    is_whole_life
}

#[test]
fn lives_that_end_in_power_cuts_kills_and_failing_disks() {
    for_each_seed(15, |seed| lives(Simulation::new(seed)));
}

#[test]
fn a_power_cut_after_each_operation_of_one_life() {
    for_each_seed(1, |seed| {
        let mut each = 0..;
        assert!(each.any(|operations| life_cut_after(operations, Simulation::new(seed))));
    });
}
