//! Faults at each operation of merges, and flipped bits, on the simulated disk.

use super::*;
use crate::vfs::Vfs;

/// A life in which every kind of merge, a delete and the retention happen.
fn merging_life(sim: &mut Simulation, engine: &Engine) -> Result<()> {
    for round in 0..3 {
        for _ in 0..5 {
            sim.append(engine)?;
            engine.flush()?;
        }
        sim.delete(engine)?;
        // Those of one size, then windows, then days that have ended, then deletes that have waited for an hour.
        for hours in [0, 3, 9, 14] {
            sim.clock.advance_ms(hours * HOUR_MS);
            while engine.compact_once()?.is_some() {}
            if round == 1 {
                engine.apply_retention()?;
            }
        }
        sim.delete(engine)?;
    }
    Ok(())
}

/// A fault of some kind at every so many operations of a merging life; which of them follows from the seed.
pub(super) fn faults_in_merges(seed: u64, step: u64, new: fn(u64) -> Simulation) {
    let whole = {
        let mut sim = new(seed);
        let engine = sim.recover(true);
        merging_life(&mut sim, &engine).unwrap();
        sim.check(&engine);
        let stats = engine.stats();
        assert!(
            stats.compaction.jobs > 10 && stats.compaction.rows_written > 100,
            "{stats:?}"
        );
        sim.vfs.operations()
    };
    for operations in (seed * 7 % step..whole).step_by(step as usize) {
        let mut sim = new(seed);
        let engine = sim.recover(true);
        let fault = operations / step % 4;
        match fault {
            0 => sim.vfs.fail_sync_after(operations / 6),
            1 => sim.vfs.set_capacity(Some(operations * 40)),
            _ => sim.vfs.crash_after(operations),
        }
        let ended = merging_life(&mut sim, &engine);
        if !sim.vfs.is_crashed() && fault == 1 {
            sim.check(&engine);
        }
        drop((ended, engine));
        sim.vfs.set_capacity(None);
        sim.vfs.restart();
        let engine = sim.recover(true);
        merging_life(&mut sim, &engine).unwrap();
        sim.check(&engine);
        drop(engine);
        sim.vfs.restart();
        drop(sim.recover(true));
    }
}

#[test]
fn a_power_cut_a_full_disk_or_a_failing_sync_at_each_operation_of_merges() {
    // A life is some thousand operations long.
    for_each_seed(1, |seed| faults_in_merges(seed, 40, Simulation::new));
}

/// What makes merges and rollups due: a day for the first time, late rows, a delete, and another one when the rows are gone.
fn make_due(sim: &mut Simulation, engine: &Engine, stage: usize) -> Result<()> {
    let midnight = NOW - NOW.rem_euclid(24 * HOUR_MS);
    if stage < 2 {
        let head = engine.head();
        let (mut columns, mut rows) = (SampleColumns::new(&head), Vec::new());
        for i in 0..48i64 {
            let labels = series((i % 6) as usize);
            let ts = midnight - i * 10 * 60_000 - stage as i64 * 1000;
            let value = (i * 7 % 5 + stage as i64) as f64;
            columns.push(head.series(&labels), ts, value);
            rows.push(((labels.to_string(), ts), value.to_bits()));
        }
        let result = engine.append_blocking(columns);
        sim.model.write(&rows, result.is_ok());
        result?;
        return engine.flush();
    }
    if stage == 3 {
        sim.clock.advance_ms(RETENTION_MS - 12 * HOUR_MS);
        engine.apply_retention()?;
    }
    let range = TimeRange::new(
        midnight - 3 * HOUR_MS,
        midnight - HOUR_MS - stage as i64 * 600_000,
    );
    let result = engine.delete(&[Matcher::equal("__name__", "load")], range);
    sim.model.delete("load{", range, result.is_ok());
    sim.clock.advance_ms(2 * HOUR_MS);
    result.map(drop)
}

fn compact_all(engine: &Engine) -> Result<()> {
    while engine.compact_once()?.is_some() {}
    Ok(())
}

#[test]
fn a_fault_at_each_operation_while_rollups_are_made() {
    let mut rollups = 0;
    for stage in 0..4 {
        // The other faults where all that a rollup does is done: it takes the place of one, and carries over.
        let faults = if stage == 1 { 0..3 } else { 0..1 };
        for fault in faults {
            for operations in 0.. {
                let mut sim = Simulation::new(operations);
                let engine = sim.recover(true);
                for before in 0..stage {
                    make_due(&mut sim, &engine, before).unwrap();
                    compact_all(&engine).unwrap();
                }
                make_due(&mut sim, &engine, stage).unwrap();
                match fault {
                    0 => sim.vfs.crash_after(operations),
                    1 => sim.vfs.fail_sync_after(operations),
                    _ => sim
                        .vfs
                        .set_capacity(Some(sim.vfs.used_bytes() + operations * 1000)),
                }
                let is_whole = compact_all(&engine).is_ok();
                rollups = rollups.max(engine.stats().segment_buckets_1h);
                if !sim.vfs.is_crashed() && fault != 1 {
                    sim.check(&engine);
                }
                drop(engine);
                sim.vfs.set_capacity(None);
                sim.vfs.restart();
                let engine = sim.recover(true);
                compact_all(&engine).unwrap();
                sim.check(&engine);
                assert_eq!(engine.stats().tombstones, 0);
                if is_whole {
                    break;
                }
            }
        }
    }
    assert!(rollups > 10, "{rollups}");
}

#[test]
fn a_merge_gives_damage_no_valid_checksum() {
    let mut sim = Simulation::new(1);
    let engine = sim.recover(true);
    for _ in 0..8 {
        sim.append(&engine).unwrap();
        engine.flush().unwrap();
    }
    let files = sim.vfs.files();
    let is_samples = |path: &String| path.ends_with(".samples.parquet");
    for (path, _) in files.iter().filter(|(path, _)| is_samples(path)) {
        sim.vfs.flip_bit(path, 1000);
    }
    sim.clock.advance_ms(3 * HOUR_MS);
    let mut failures = 0;
    loop {
        match engine.compact_once() {
            Ok(None) => break,
            Ok(Some(done)) => panic!("{done:?}"),
            Err(error) => assert!(error.to_string().contains("CRC-32C"), "{error}"),
        }
        failures += 1;
    }
    let stats = engine.stats();
    assert!(failures > 0 && stats.compaction.failures == failures, "{stats:?}");
    assert_eq!(stats.damages.len() as u64, failures);
    // The open segments still have what they had when they were read.
    sim.check(&engine);
}

/// A bit flips somewhere: what is read was written, and what is lost is reported. For one seed of four all is in the log,
/// and the bit is one of those written there; in what is left of them the log is one file of a hundred.
pub(super) fn flip_a_bit(mut sim: Simulation) {
    let seed = sim.vfs.seed();
    let is_log = seed % 4 == 1;
    let mut options = sim.options();
    if is_log {
        options.flush_rows = 100_000;
    }
    let engine = sim.open_with(options.clone()).unwrap();
    for _ in 0..11 {
        sim.append(&engine).unwrap();
    }
    let before_last = sim.model.cells.clone();
    sim.append(&engine).unwrap();
    if seed.is_multiple_of(2) {
        engine.flush().unwrap();
        while engine.compact_once().unwrap().is_some() {}
    }
    drop(engine);
    let mut files = sim.vfs.files();
    files.retain(|(path, _)| !is_log || path.starts_with("wal/"));
    let (path, len) = &files[sim.rng.random_range(0..files.len())];
    let mut bytes = *len;
    if is_log {
        // Without what is reserved.
        let written = sim.vfs.read(path).unwrap();
        bytes = written.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    }
    sim.vfs.flip_bit(path, sim.rng.random_range(0..bytes * 8));
    let engine = sim.open_with(options).unwrap();
    let view = read(&engine);
    for (key, bits) in &view {
        assert!(
            sim.model.cells[key].history.contains(bits),
            "{key:?} was never {bits:x}"
        );
    }
    if !engine.stats().damages.is_empty() {
        return;
    }
    // The last commit is where damage and an unfinished write look the same: without it all is as it was before.
    let may_lose_last = path.starts_with("wal/");
    let now = sim.now();
    for (key, cell) in sim.model.cells.iter().filter(|(key, _)| !is_expired(key, now)) {
        let found = view.get(key).copied();
        let before = before_last.get(key).and_then(|cell| cell.certain);
        assert!(
            found == cell.certain || may_lose_last && found == before,
            "{path} changed {key:?} to {found:x?} in silence: {cell:x?}"
        );
    }
}

#[test]
fn a_flipped_bit_is_served_by_nobody_and_reported() {
    for_each_seed(60, |seed| flip_a_bit(Simulation::new(seed)));
}

/// Each life gives the numbers of the log to other series, so that a damaged definition leaves those of the life before.
#[test]
fn a_damaged_definition_gives_no_sample_to_another_series() {
    for_each_seed(60, |seed| {
        let mut sim = Simulation::new(seed);
        let in_log = Options {
            flush_rows: 100_000,
            ..options()
        };
        for _ in 0..3 {
            let engine = sim.open_with(in_log.clone()).unwrap();
            for _ in 0..4 {
                sim.append(&engine).unwrap();
            }
            drop(engine);
            sim.vfs.restart_process();
        }
        let mut files = sim.vfs.files();
        files.retain(|(path, _)| path.starts_with("wal/"));
        let (path, _) = &files[sim.rng.random_range(0..files.len())];
        // Near the start of a file, where definitions are, and not in what is reserved.
        sim.vfs.flip_bit(path, sim.rng.random_range(0..600 * 8));
        let engine = sim.open_with(in_log).unwrap();
        for (key, bits) in &read(&engine) {
            let is_its_own = sim
                .model
                .cells
                .get(key)
                .is_some_and(|cell| cell.history.contains(bits));
            assert!(is_its_own, "{key:?} was never {bits:x}");
        }
    });
}

#[test]
fn a_flush_in_the_middle_of_a_replay_keeps_the_definitions_of_the_rest() {
    let sim = Simulation::new(1);
    let engine = sim
        .open_with(Options {
            flush_rows: 1000,
            wal_file_bytes: 100,
            ..options()
        })
        .unwrap();
    let rows = |count: i64, ts: i64| {
        let head = engine.head();
        let mut columns = SampleColumns::new(&head);
        (0..count).for_each(|i| columns.push(head.series(&series(0)), ts + i, 1.0));
        columns
    };
    engine
        .append_blocking(rows(10, NOW - RETENTION_MS + HOUR_MS))
        .unwrap();
    engine.append_blocking(rows(5, NOW)).unwrap();
    drop(engine);
    // Memory is full after the first of the two records, which alone defines the series.
    let engine = sim
        .open_with(Options {
            flush_rows: 10,
            wal_file_bytes: 100,
            ..options()
        })
        .unwrap();
    sim.clock.advance_ms(2 * HOUR_MS);
    engine.apply_retention().unwrap();
    drop(engine);
    sim.vfs.restart_process();
    let engine = sim
        .open_with(Options {
            flush_rows: 1000,
            ..options()
        })
        .unwrap();
    assert_eq!((read(&engine).len(), engine.stats().damages), (5, vec![]));
}
