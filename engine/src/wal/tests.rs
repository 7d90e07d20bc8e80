//! Tests of the log on the real disk, and of files that earlier versions wrote. The simulated disk is in
//! `sim_tests`.

use std::sync::Arc;

use barograph_model::Labels;

use super::*;
use crate::EngineError;
use crate::SeriesRef;
use crate::vfs::{DiskVfs, SimVfs, Vfs};

fn samples(value: f64) -> Frame {
    Frame::samples(&[SeriesRef(1), SeriesRef(2)], &[1000, 1001], &[value, f64::NAN]).unwrap()
}

fn replay(recovery: &mut Recovery, from_seq: u64) -> (Vec<(u64, f64)>, ReplayReport) {
    let mut seen = Vec::new();
    let report = recovery.replay(from_seq, &mut |seq, record| {
        match record {
            Record::Samples(record) => seen.push((seq, record.values[0])),
            Record::Series(series) => seen.push((seq, -(series.len() as f64))),
            Record::Generation => {}
            other => panic!("{other:?}"),
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
        wal.push(&Frame::series([(SeriesRef(1), &labels)].into_iter()).unwrap()),
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

/// What `golden/version-1.wal` was written from. Never changes: a change of the format adds a file.
fn golden_records() -> (Vec<(SeriesRef, Labels)>, SampleRecord) {
    let labels = |i: u32| {
        let instance = format!("host-{i}:9100");
        let pairs = [
            ("__name__", "node_load1"),
            ("instance", &instance),
            ("job", "node"),
            ("zone", "zürich"),
        ];
        (SeriesRef(100 + i * i), Labels::from_pairs(pairs).unwrap())
    };
    let values = [
        0.0,
        -0.0,
        1.0,
        0.1,
        f64::INFINITY,
        barograph_model::stale_nan(),
        1e300,
        -12.5,
    ];
    let samples = SampleRecord {
        series: (0..8u32).map(|i| SeriesRef(100 + i * i)).collect(),
        ts: (0..8).map(|i| 1_700_000_000_000 + i % 3 - 1).collect(),
        values: values.to_vec(),
    };
    ((0..8).map(labels).collect(), samples)
}

#[test]
fn the_files_of_version_1_stay_readable() {
    let (series, samples) = golden_records();
    let vfs = SimVfs::new(0);
    vfs.create_dir_all("wal").unwrap();
    vfs.create("wal/00000001.wal")
        .unwrap()
        .append(include_bytes!("golden/version-1.wal"))
        .unwrap();
    let (wal, mut recovery) = Wal::open(Arc::new(vfs), "wal", 4096).unwrap();
    let mut seen = Vec::new();
    let report = recovery.replay(7, &mut |seq, record| {
        seen.push((seq, record));
        Ok(())
    });
    assert_eq!(report.unwrap().damage, []);
    assert_eq!(wal.next_seq(), 9);
    assert_eq!(seen[0], (7, Record::Series(series)));
    let Record::Samples(found) = &seen[1].1 else {
        panic!("{seen:?}")
    };
    let bits = |record: &SampleRecord| record.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(
        (&found.series, &found.ts, bits(found)),
        (&samples.series, &samples.ts, bits(&samples))
    );
    assert_eq!((seen[1].0, seen.len()), (8, 2));
}
