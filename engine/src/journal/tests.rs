//! The journal on the simulated disk. Records count up, so that what a journal should hold is a range.

use super::*;
use crate::vfs::{DiskVfs, SimVfs, for_each_seed};

fn record(number: u64) -> Vec<u8> {
    // Every seventh spans sectors.
    let copies = if number.is_multiple_of(7) { 200 } else { 1 };
    number.to_le_bytes().repeat(copies)
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().unwrap())
}

/// How many records the journal holds: those in the checkpoint, and the ones behind it, without a gap.
fn count(contents: &JournalContents) -> u64 {
    let mut next = contents.checkpoint.as_deref().map_or(0, number);
    for bytes in &contents.records {
        assert_eq!(*bytes, record(next), "records follow each other");
        next += 1;
    }
    next
}

/// Appends and checkpoints until the disk says no; gives how many records are acknowledged.
fn live(journal: &Journal, from: u64) -> (u64, Result<()>) {
    for next in from..from + 20 {
        if let Err(error) = journal.append(&record(next)) {
            return (next, Err(error));
        }
        if next % 6 == 5
            && let Err(error) = journal.checkpoint(&record(next + 1))
        {
            return (next + 1, Err(error));
        }
    }
    (from + 20, Ok(()))
}

fn open(vfs: &SimVfs) -> (Journal, JournalContents) {
    Journal::open(Arc::new(vfs.clone()), "alerts").unwrap()
}

#[test]
fn sim_a_power_cut_after_any_operation_leaves_the_old_state_or_the_new() {
    for_each_seed(6, |seed| {
        let mut after = 0;
        loop {
            let vfs = SimVfs::new(seed);
            let mut acknowledged = 0;
            let mut is_done = true;
            // Two lives, the second cut short at the same place as the first.
            for _ in 0..2 {
                let (journal, contents) = open(&vfs);
                // The record that was under way may be there; then it stays.
                let found = count(&contents);
                assert!(
                    found == acknowledged || found == acknowledged + 1,
                    "{found}, not {acknowledged}"
                );
                vfs.crash_after(after);
                let (reached, result) = live(&journal, found);
                acknowledged = reached;
                is_done &= result.is_ok();
                vfs.restart();
            }
            let found = count(&open(&vfs).1);
            assert!(
                found == acknowledged || found == acknowledged + 1,
                "{found}, not {acknowledged}"
            );
            if is_done {
                return;
            }
            after += 1;
        }
    });
}

#[test]
fn sim_a_full_disk_refuses_and_recovers() {
    for_each_seed(40, |seed| {
        let vfs = SimVfs::new(seed);
        let (journal, _) = open(&vfs);
        let (reached, result) = live(&journal, 0);
        result.unwrap();
        vfs.set_capacity(Some(vfs.used_bytes() + seed * 20));
        let (reached, refused) = live(&journal, reached);
        if let Err(error) = &refused {
            assert!(!matches!(error, EngineError::Poisoned { .. }), "{error}");
        }
        vfs.set_capacity(None);
        let (reached, result) = live(&journal, reached);
        result.unwrap();
        drop(journal);
        vfs.restart();
        assert_eq!(count(&open(&vfs).1), reached);
    });
}

#[test]
fn sim_a_failed_sync_ends_appends_and_loses_nothing_acknowledged() {
    for_each_seed(60, |seed| {
        let vfs = SimVfs::new(seed);
        let (journal, _) = open(&vfs);
        vfs.fail_sync_after(seed % 25);
        let (reached, result) = live(&journal, 0);
        if let Err(EngineError::Poisoned { .. }) = result {
            let again = journal.append(&record(reached));
            assert!(matches!(again, Err(EngineError::Poisoned { .. })));
        }
        drop(journal);
        vfs.restart();
        let found = count(&open(&vfs).1);
        assert!(found == reached || found == reached + 1, "{found}, not {reached}");
    });
}

#[test]
fn threads_that_append_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs::open(folder.path()).unwrap());
    let (journal, _) = Journal::open(Arc::clone(&vfs), "alerts").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let journal = &journal;
            scope.spawn(move || {
                for i in 0..25u64 {
                    journal.append(&(thread * 1000 + i).to_le_bytes()).unwrap();
                }
            });
        }
    });
    assert_eq!(journal.bytes_since_checkpoint(), 200 * 32);
    drop(journal);
    let (journal, contents) = Journal::open(vfs, "alerts").unwrap();
    assert_eq!((contents.records.len(), contents.checkpoint), (200, None));
    assert_eq!(journal.bytes_since_checkpoint(), 200 * 32);
    for thread in 0..8u64 {
        let own: Vec<u64> = contents
            .records
            .iter()
            .map(|r| number(r))
            .filter(|n| n / 1000 == thread)
            .collect();
        assert_eq!(
            own,
            (thread * 1000..thread * 1000 + 25).collect::<Vec<_>>(),
            "each thread's order is kept"
        );
    }
}

#[test]
fn checkpoints_keep_the_journal_short() {
    let vfs = SimVfs::new(1);
    let (journal, _) = open(&vfs);
    for round in 0..50 {
        live(&journal, round * 20).1.unwrap();
        journal.checkpoint(&record((round + 1) * 20)).unwrap();
        assert_eq!(journal.bytes_since_checkpoint(), 0);
    }
    assert!(vfs.files().len() <= 4, "{:?}", vfs.files());
    drop(journal);
    let contents = open(&vfs).1;
    assert_eq!((count(&contents), contents.records.len()), (1000, 0));
}

#[test]
fn a_damaged_checkpoint_costs_nothing() {
    for path in checkpoint::paths("alerts") {
        for seed in 0..60 {
            let vfs = SimVfs::new(seed);
            let (journal, _) = open(&vfs);
            live(&journal, 0).1.unwrap();
            drop(journal);
            vfs.flip_bit(&path, seed * 61);
            let contents = open(&vfs).1;
            assert_eq!(
                (count(&contents), contents.damage.len()),
                (20, 1),
                "{path}, seed {seed}"
            );
            assert!(contents.damage[0].path.ends_with(&path), "{contents:?}");
            assert!(!vfs.list("quarantine").unwrap().is_empty());
            // Both are there again.
            let contents = open(&vfs).1;
            assert_eq!((count(&contents), contents.damage.len()), (20, 0));
        }
    }
}

#[test]
fn a_checkpoint_that_is_lost_twice_is_told() {
    let vfs = SimVfs::new(1);
    let (journal, _) = open(&vfs);
    live(&journal, 0).1.unwrap();
    drop(journal);
    for path in checkpoint::paths("alerts") {
        vfs.flip_bit(&path, 300);
    }
    let (journal, contents) = open(&vfs);
    assert!(contents.is_checkpoint_lost && contents.checkpoint.is_none() && contents.records.is_empty());
    assert!(contents.damage.len() >= 2, "{contents:?}");
    let copied = journal.copy_to_quarantine().unwrap();
    assert!(
        copied.iter().all(|path| vfs.len(path).unwrap() > 0) && !copied.is_empty(),
        "{copied:?}"
    );
    journal.checkpoint(&record(0)).unwrap();
    live(&journal, 0).1.unwrap();
    drop(journal);
    let contents = open(&vfs).1;
    assert_eq!(
        (count(&contents), contents.damage),
        (20, vec![]),
        "it is as good as new"
    );
}

#[test]
fn damage_among_the_records_is_reported() {
    let vfs = SimVfs::new(1);
    let (journal, _) = open(&vfs);
    for next in 0..5 {
        journal.append(&record(next)).unwrap();
    }
    drop(journal);
    vfs.flip_bit("alerts/00000001.wal", (24 + 32 + 30) * 8);
    let contents = open(&vfs).1;
    assert_eq!(contents.records.len(), 4);
    assert!(
        contents
            .damage
            .iter()
            .any(|d| d.what == "record 1 is missing before this one"),
        "{contents:?}"
    );
}
