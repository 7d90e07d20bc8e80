//! The store within a budget: flushes by bytes, refusals before memory is in danger, replay of more than fits.

use std::sync::Arc;

use barograph_model::{Clock, Labels, ManualClock, MemoryBudget, MemoryShare, TimestampMs};

use crate::vfs::SimVfs;
use crate::{Engine, EngineError, Options, SampleColumns};

const NOW: i64 = 1_700_000_000_000;
const BATCH_ROWS: usize = 500;

fn budget(memtable_bytes: usize) -> Arc<MemoryBudget> {
    Arc::new(MemoryBudget::unlimited().with_max(MemoryShare::Memtable, memtable_bytes))
}

fn open(vfs: &SimVfs, memory: &Arc<MemoryBudget>, background: bool) -> Arc<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let options = Options {
        memory: Arc::clone(memory),
        background,
        wal_file_bytes: 1 << 20,
        ..Options::default()
    };
    Engine::open(Arc::new(vfs.clone()), clock, options).unwrap()
}

/// Batch `number` of ten series, no instant twice.
fn batch(engine: &Engine, number: usize) -> SampleColumns {
    let head = engine.head();
    let mut columns = SampleColumns::with_capacity(&head, BATCH_ROWS);
    for row in 0..BATCH_ROWS {
        let instance = format!("i{}", row % 10);
        let labels = Labels::from_pairs([("__name__", "up"), ("instance", &instance)]).unwrap();
        let ts = NOW - 3_600_000 + (number * BATCH_ROWS + row) as i64;
        columns.push(head.series(&labels), ts, row as f64);
    }
    columns
}

fn rows(engine: &Engine) -> usize {
    let stats = engine.stats();
    stats.memory_rows + stats.segment_rows as usize
}

#[test]
fn the_memtable_is_written_at_half_of_its_share() {
    let memory = budget(200_000);
    let engine = open(&SimVfs::new(1), &memory, false);
    for number in 0..60 {
        engine.append_blocking(batch(&engine, number)).unwrap();
        assert!(memory.used_bytes(MemoryShare::Memtable) < 100_000);
    }
    let stats = engine.stats();
    assert!(stats.flushes >= 4, "{} flushes", stats.flushes);
    assert_eq!(stats.memory_bytes, memory.used_bytes(MemoryShare::Memtable));
    assert_eq!(rows(&engine), 60 * BATCH_ROWS);
    engine.flush().unwrap();
    assert_eq!(engine.stats().memory_bytes, 0);
    assert_eq!(memory.used_bytes(MemoryShare::CommitQueue), 0);
    assert_eq!(
        memory.used_bytes(MemoryShare::Compaction),
        0,
        "a flush gives back what it held"
    );
    assert!(memory.used_bytes(MemoryShare::Head) > 0, "ten series are known");
}

#[test]
fn a_process_over_its_budget_writes_its_memtable_early() {
    const SHARE: usize = 800_000;
    let total = 64 << 20;
    let memory = Arc::new(MemoryBudget::new(total).with_max(MemoryShare::Memtable, SHARE));
    let engine = open(&SimVfs::new(5), &memory, false);
    let mut number = 0;
    while memory.used_bytes(MemoryShare::Memtable) < SHARE / 8 {
        engine.append_blocking(batch(&engine, number)).unwrap();
        number += 1;
    }
    assert_eq!(engine.stats().flushes, 0, "an eighth is not enough by itself");
    memory.observe_resident(total + 1);
    assert!(engine.shared.memtable_is_full());
    memory.observe_resident(total);
    assert!(!engine.shared.memtable_is_full());
    memory.observe_resident(total + 1);
    engine.append_blocking(batch(&engine, number)).unwrap();
    assert_eq!(engine.stats().flushes, 1);
    assert_eq!(rows(&engine), (number + 1) * BATCH_ROWS);
}

#[test]
fn a_log_larger_than_the_share_is_replayed_within_it() {
    let vfs = SimVfs::new(2);
    let unlimited = Arc::new(MemoryBudget::unlimited());
    let engine = open(&vfs, &unlimited, false);
    for number in 0..100 {
        engine.append_blocking(batch(&engine, number)).unwrap();
    }
    let held = unlimited.used_bytes(MemoryShare::Memtable);
    assert_eq!(engine.stats().flushes, 0);
    drop(engine);
    vfs.restart();

    let memory = budget(held / 5);
    let engine = open(&vfs, &memory, false);
    let peak = |share| {
        memory
            .shares()
            .find(|found| found.share == share)
            .unwrap()
            .peak_bytes
    };
    assert!(engine.stats().flushes >= 5, "{} flushes", engine.stats().flushes);
    assert!(
        peak(MemoryShare::Memtable) <= held / 5,
        "{} of {}",
        peak(MemoryShare::Memtable),
        held / 5
    );
    assert_eq!(peak(MemoryShare::Replay), BATCH_ROWS * 24, "one record at a time");
    assert_eq!(memory.used_bytes(MemoryShare::Replay), 0);
    assert_eq!(rows(&engine), 100 * BATCH_ROWS);
}

#[test]
fn appends_are_refused_while_the_memtable_cannot_be_written() {
    let memory = budget(100_000);
    let engine = open(&SimVfs::new(3), &memory, true);
    // Nobody can flush while a test has the files.
    let files = engine.shared.files.lock().unwrap();
    let mut taken = 0;
    let refusal = loop {
        match engine.append_blocking(batch(&engine, taken)) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100, "nothing was ever refused");
    };
    assert!(matches!(refusal, EngineError::Overloaded { .. }));
    assert!(
        refusal
            .to_string()
            .contains("wait in memory to be written to segments"),
        "{refusal}"
    );
    assert!(
        memory.used_bytes(MemoryShare::Memtable) < 100_000 + 20_000,
        "one batch beyond the limit at most"
    );
    drop(files);
    engine.flush().unwrap();
    engine.append_blocking(batch(&engine, taken)).unwrap();
    assert_eq!(
        rows(&engine),
        (taken + 1) * BATCH_ROWS,
        "what was refused is not there"
    );
}

#[test]
fn appends_are_refused_while_the_queue_is_taken_or_the_process_is_too_large() {
    let memory = Arc::new(MemoryBudget::new(64 << 20).with_max(MemoryShare::CommitQueue, 10_000));
    let engine = open(&SimVfs::new(4), &memory, true);
    engine.append_blocking(batch(&engine, 0)).unwrap();
    assert_eq!(
        memory.used_bytes(MemoryShare::CommitQueue),
        0,
        "larger than the share, but alone"
    );
    memory.try_grow(MemoryShare::CommitQueue, 5_000).unwrap();
    let refusal = engine.append_blocking(batch(&engine, 1)).unwrap_err();
    assert!(
        refusal
            .to_string()
            .contains("too much waits for the write-ahead log"),
        "{refusal}"
    );
    memory.shrink(MemoryShare::CommitQueue, 5_000);
    memory.observe_resident((64 << 20) + 1);
    let refusal = engine.append_blocking(batch(&engine, 1)).unwrap_err();
    assert!(
        refusal.to_string().contains("more than its budget of 67108864"),
        "{refusal}"
    );
    memory.observe_resident(64 << 20);
    engine.append_blocking(batch(&engine, 1)).unwrap();
    assert_eq!(rows(&engine), 2 * BATCH_ROWS);
}
