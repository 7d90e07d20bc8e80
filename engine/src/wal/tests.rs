//! Tests of the log on the real disk. The simulated one is in `sim_tests`.

use std::sync::Arc;

use barograph_model::{Labels, SeriesId};

use super::*;
use crate::EngineError;
use crate::vfs::{DiskVfs, Vfs};

fn samples(value: f64) -> Frame {
    Frame::samples(&[SeriesId(1), SeriesId(2)], &[1000, 1001], &[value, f64::NAN]).unwrap()
}

fn replay(recovery: &mut Recovery, from_seq: u64) -> (Vec<(u64, f64)>, ReplayReport) {
    let mut seen = Vec::new();
    let report = recovery.replay(from_seq, &mut |seq, record| {
        match record {
            Record::Samples(record) => seen.push((seq, record.values[0])),
            Record::Series(series) => seen.push((seq, -(series.len() as f64))),
        }
        Ok(())
    });
    (seen, report.unwrap())
}

#[test]
fn what_is_committed_on_a_disk_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs::open(folder.path()).unwrap());
    let (mut wal, mut recovery) = Wal::open(Arc::clone(&vfs), "wal", 4096).unwrap();
    assert_eq!(replay(&mut recovery, 1), (vec![], ReplayReport::default()));
    assert_eq!(wal.next_seq(), 1);

    let labels = Labels::from_pairs([("__name__", "up"), ("job", "node")]).unwrap();
    assert_eq!(
        wal.push(&Frame::series([(SeriesId(1), &labels)].into_iter()).unwrap()),
        1
    );
    assert_eq!(wal.push(&samples(0.5)), 2);
    wal.commit().unwrap();
    assert_eq!(wal.push(&samples(1.5)), 3); // never committed
    drop(wal);

    let (mut wal, mut recovery) = Wal::open(Arc::clone(&vfs), "wal", 4096).unwrap();
    let (seen, report) = replay(&mut recovery, 1);
    assert_eq!(seen, [(1, -1.0), (2, 0.5)]);
    assert_eq!((report.frames, report.torn, report.damage), (2, None, vec![]));
    assert_eq!(
        replay(&mut recovery, 2).0,
        seen,
        "what may define series is given too"
    );
    for i in 0..200 {
        assert_eq!(wal.push(&samples(f64::from(i))), 3 + i as u64);
        wal.commit().unwrap();
    }
    let files = vfs.list("wal").unwrap();
    assert!(files.len() > 2, "{files:?}");
    wal.cut(150).unwrap();
    assert!(vfs.list("wal").unwrap().len() < files.len());
    wal.rotate().unwrap();
    wal.cut(u64::MAX).unwrap();
    assert_eq!(
        vfs.list("wal").unwrap().len(),
        1,
        "the newest file knows the next number"
    );
    drop(wal);
    let (wal, _) = Wal::open(Arc::clone(&vfs), "wal", 4096).unwrap();
    assert_eq!(wal.next_seq(), 203);
}

#[test]
fn an_unknown_kind_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs::open(folder.path()).unwrap());
    let (mut wal, _) = Wal::open(Arc::clone(&vfs), "wal", 4096).unwrap();
    wal.push(&Frame::new(77, b"from the future".to_vec()).unwrap());
    wal.commit().unwrap();
    let (_, mut recovery) = Wal::open(vfs, "wal", 4096).unwrap();
    let error = recovery.replay(1, &mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(error, EngineError::Corrupt { .. }));
    assert!(error.to_string().contains("record 1 of kind 77"), "{error}");
}
