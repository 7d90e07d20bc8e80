//! The log on the simulated disk: power cuts after every operation, full disks, failing syncs, flipped bits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::EngineError;
use crate::SeriesRef;
use crate::vfs::{SimVfs, Vfs, for_each_seed};

const FILE_BYTES: u64 = 6000;

/// What the log must hold, kept beside it.
#[derive(Debug, Default)]
struct Model {
    /// By number, what a commit said Ok to, or a recovery gave.
    durable: BTreeMap<u64, i64>,
    /// Everything that was ever pushed; each value is pushed once.
    pushed: BTreeSet<i64>,
    /// Below this nothing is needed any more.
    cut: u64,
}

/// A frame that can be told by its value, of a length that spans sectors now and then.
fn frame(value: i64, rng: &mut ChaCha8Rng) -> Frame {
    let count = if rng.random_bool(0.2) {
        rng.random_range(50..200)
    } else {
        rng.random_range(1..5)
    };
    let values: Vec<f64> = (0..count).map(|_| rng.random()).collect();
    Frame::samples(
        &vec![SeriesRef(value as u32); count],
        &vec![value; count],
        &values,
    )
    .unwrap()
}

/// Opens the log and checks it against the model, which afterwards holds what the log holds.
fn recover(vfs: &SimVfs, model: &mut Model, trusts_disk: bool) -> (Wal, ReplayReport) {
    let (mut wal, mut recovery) = Wal::open(Arc::new(vfs.clone()), "wal", FILE_BYTES).unwrap();
    let mut found = BTreeMap::new();
    let mut last = 0;
    let report = recovery
        .replay(model.cut, &mut |seq, record| {
            let record = match record {
                Record::Samples(record) => record,
                // Said where the first frame of a file is not where it should be.
                Record::Generation => return Ok(()),
                other => panic!("{other:?} was not pushed"),
            };
            assert!(seq > last, "{seq} after {last}");
            last = seq;
            assert!(
                model.pushed.contains(&record.ts[0]),
                "record {seq} was never pushed"
            );
            assert_eq!(found.insert(seq, record.ts[0]), None);
            Ok(())
        })
        .unwrap();
    let values: BTreeSet<i64> = found.values().copied().collect();
    assert_eq!(values.len(), found.len(), "a record came twice: {found:?}");
    for (seq, value) in model.durable.range(model.cut..) {
        assert_eq!(
            found.get(seq),
            Some(value),
            "record {seq} was acknowledged; {report:?}"
        );
    }
    if trusts_disk {
        model.durable = found;
    }
    wal.skip_to(model.cut);
    assert!(
        wal.next_seq() > model.durable.keys().last().copied().unwrap_or(0),
        "numbers are used once"
    );
    (wal, report)
}

/// Pushes, commits, rotates and cuts until the disk says no.
fn live(wal: &mut Wal, model: &mut Model, steps: usize, rng: &mut ChaCha8Rng) -> Result<(), EngineError> {
    let mut pending = BTreeMap::new();
    for _ in 0..steps {
        match rng.random_range(0..10) {
            0..5 => {
                let value = model.pushed.len() as i64 + 1;
                model.pushed.insert(value);
                pending.insert(wal.push(&frame(value, rng)), value);
            }
            5..8 => match wal.commit() {
                Ok(()) => model.durable.append(&mut pending),
                Err(error) => {
                    pending.clear();
                    if !matches!(error, EngineError::Unwritable { .. }) {
                        return Err(error);
                    }
                }
            },
            8 => wal.rotate()?,
            _ => {
                let below =
                    rng.random_range(model.cut..=model.durable.keys().last().map_or(model.cut, |l| l + 1));
                model.cut = below;
                wal.cut(below)?;
            }
        }
    }
    Ok(())
}

/// One life after another on one disk; `crashes` says after how many operations each ends. Gives the
/// operations that the last life took.
fn simulate(seed: u64, crashes: &[Option<u64>]) -> u64 {
    let vfs = SimVfs::new(seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut model = Model::default();
    let mut operations = 0;
    for crash in crashes {
        let (mut wal, _) = recover(&vfs, &mut model, true);
        let before = vfs.operations();
        if let Some(after) = crash {
            vfs.crash_after(*after);
        }
        let _ = live(&mut wal, &mut model, 30, &mut rng);
        operations = vfs.operations() - before;
        if rng.random_bool(0.2) {
            vfs.restart_process();
        } else {
            vfs.restart();
        }
    }
    recover(&vfs, &mut model, true);
    operations
}

#[test]
fn a_power_cut_after_any_operation_loses_nothing_acknowledged() {
    for_each_seed(12, |seed| {
        let operations = simulate(seed, &[None]);
        for first in 0..=operations {
            simulate(seed, &[Some(first)]);
        }
        // The second life begins on what the first has left.
        for first in (0..=operations).step_by(5) {
            for second in 0..12 {
                simulate(seed, &[Some(first), Some(second), Some(second * 3)]);
            }
        }
    });
}

#[test]
fn a_power_cut_while_the_log_is_opened_loses_nothing() {
    for_each_seed(40, |seed| {
        let vfs = SimVfs::new(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut model = Model::default();
        for _ in 0..4 {
            let (mut wal, _) = recover(&vfs, &mut model, true);
            vfs.crash_after(rng.random_range(5..40));
            let _ = live(&mut wal, &mut model, 30, &mut rng);
            vfs.restart();
            for operations in 0..4 {
                vfs.crash_after(operations);
                let _ = Wal::open(Arc::new(vfs.clone()), "wal", FILE_BYTES);
                vfs.restart();
            }
        }
        recover(&vfs, &mut model, true);
    });
}

#[test]
fn a_full_disk_is_refused_and_forgotten_when_there_is_room_again() {
    for_each_seed(60, |seed| {
        let vfs = SimVfs::new(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut model = Model::default();
        for _ in 0..3 {
            let (mut wal, _) = recover(&vfs, &mut model, true);
            for _ in 0..4 {
                vfs.set_capacity(Some(vfs.used_bytes() + rng.random_range(0..3000)));
                live(&mut wal, &mut model, 20, &mut rng).unwrap();
                let value = model.pushed.len() as i64 + 1;
                model.pushed.insert(value);
                let seq = wal.push(&Frame::samples(&[SeriesRef(value as u32)], &[value], &[0.0]).unwrap());
                match wal.commit() {
                    // Takes along what `live` has left uncommitted; the next recovery sees it.
                    Ok(()) => _ = model.durable.insert(seq, value),
                    Err(EngineError::Unwritable { reason }) => {
                        assert!(reason.contains("full disk"), "{reason}")
                    }
                    Err(error) => panic!("{error}"),
                }
                vfs.set_capacity(None);
                live(&mut wal, &mut model, 20, &mut rng).unwrap();
                wal.commit().unwrap();
            }
            vfs.restart();
        }
        recover(&vfs, &mut model, true);
    });
}

#[test]
fn a_failed_sync_poisons_until_a_restart() {
    for_each_seed(150, |seed| {
        let vfs = SimVfs::new(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut model = Model::default();
        let mut trusts_disk = true;
        for _ in 0..4 {
            let (mut wal, _) = recover(&vfs, &mut model, trusts_disk);
            vfs.fail_sync_after(rng.random_range(0..12));
            let ended = live(&mut wal, &mut model, 60, &mut rng);
            trusts_disk = ended.is_ok();
            if let Err(EngineError::Poisoned { .. }) = ended {
                wal.push(&frame(0, &mut rng));
                assert!(
                    matches!(wal.commit(), Err(EngineError::Poisoned { .. })),
                    "for ever"
                );
                assert!(
                    matches!(wal.rotate(), Err(EngineError::Poisoned { .. })),
                    "for ever"
                );
            }
            if rng.random_bool(0.5) {
                vfs.restart();
                trusts_disk = true;
            } else {
                vfs.restart_process();
            }
        }
        recover(&vfs, &mut model, trusts_disk);
    });
}

#[test]
fn damage_costs_what_it_hits_and_is_quarantined() {
    for_each_seed(150, |seed| {
        let vfs = SimVfs::new(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut wal, _) = recover(&vfs, &mut Model::default(), true);
        for value in 1..60 {
            wal.push(&frame(value, &mut rng));
            wal.commit().unwrap();
        }
        wal.rotate().unwrap();
        drop(wal);
        let files = vfs.files();
        assert!(files.len() > 1);
        // Not in the last file, whose end might look like an unfinished write.
        let (path, len) = &files[rng.random_range(0..files.len() - 1)];
        vfs.flip_bit(path, rng.random_range(0..len * 8));

        let (mut wal, mut recovery) = Wal::open(Arc::new(vfs.clone()), "wal", FILE_BYTES).unwrap();
        let mut seen = Vec::new();
        let report = recovery
            .replay(1, &mut |seq, record| {
                let record = match record {
                    Record::Samples(record) => record,
                    Record::Generation => return Ok(()),
                    other => panic!("{other:?} was not pushed"),
                };
                assert_eq!(seq as i64, record.ts[0]);
                seen.push(seq);
                Ok(())
            })
            .unwrap();
        assert!(report.torn.is_none());
        assert!(!report.damage.is_empty() && report.damage.iter().all(|d| !d.what.is_empty()));
        let lost = 59 - seen.len();
        assert!(
            lost <= 1,
            "one bit costs at most one record, not {lost}: {report:?}"
        );
        if lost == 1 {
            assert!(
                report.damage.iter().any(|d| d.what.contains("missing")),
                "{report:?}"
            );
        }
        assert!(seen.is_sorted());
        wal.cut(u64::MAX).unwrap();
        let names = vfs.list("quarantine").unwrap();
        assert_eq!(names, [path.replace('/', "-")]);
        assert_eq!(vfs.list("wal").unwrap().len(), 1);
    });
}

#[test]
fn a_file_that_is_gone_is_noticed() {
    let vfs = SimVfs::new(1);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut wal, _) = recover(&vfs, &mut Model::default(), true);
    for value in 1..4 {
        wal.push(&frame(value, &mut rng));
        wal.commit().unwrap();
        wal.rotate().unwrap();
    }
    drop(wal);
    vfs.remove("wal/00000002.wal").unwrap();
    let (_, mut recovery) = Wal::open(Arc::new(vfs), "wal", FILE_BYTES).unwrap();
    let report = recovery.replay(1, &mut |_, _| Ok(())).unwrap();
    assert_eq!((report.frames, report.damage.len()), (2, 1));
    assert_eq!(report.damage[0].what, "record 2 is missing before this one");
    assert_eq!(
        recovery.replay(3, &mut |_, _| Ok(())).unwrap().damage,
        [],
        "nobody needs it any more"
    );
}
