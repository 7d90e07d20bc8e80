//! One damaged file of the two costs nothing; two of them cost the start, and never a segment.

use std::sync::Arc;

use super::*;
use crate::EngineError;
use crate::vfs::{SimVfs, Vfs, for_each_seed};

fn store(vfs: &SimVfs) -> ManifestStore {
    ManifestStore::new(Arc::new(vfs.clone()))
}

fn version(wal_floor: u64) -> Version {
    Version {
        wal_floor,
        ..Version::new(7)
    }
}

#[test]
fn any_flipped_bit_of_either_file_is_found_and_costs_nothing() {
    let bits = encoding::encode(&version(7)).unwrap().len() as u64 * 8;
    for path in [PATH, COPY_PATH] {
        for bit in 0..bits {
            let vfs = SimVfs::new(1);
            store(&vfs).save(&version(7)).unwrap();
            vfs.flip_bit(path, bit);
            let loaded = store(&vfs).load().unwrap();
            assert_eq!(loaded.version, Some(version(7)), "{path}, bit {bit}");
            assert_eq!(loaded.damaged.len(), 1, "{path}, bit {bit}");
            assert_eq!(loaded.damaged[0].0, path);
            assert_eq!(vfs.list("quarantine").unwrap(), [path]);
            // It is as good as new: the other may now be lost.
            vfs.remove(if path == PATH { COPY_PATH } else { PATH }).unwrap();
            assert_eq!(store(&vfs).load().unwrap().version, Some(version(7)));
        }
    }
}

#[test]
fn a_missing_file_is_replaced_by_the_other() {
    let vfs = SimVfs::new(1);
    assert_eq!(store(&vfs).load().unwrap().version, None);
    store(&vfs).save(&version(3)).unwrap();
    vfs.remove(PATH).unwrap();
    let loaded = store(&vfs).load().unwrap();
    assert_eq!((loaded.version, loaded.damaged.len()), (Some(version(3)), 1));
    vfs.remove(COPY_PATH).unwrap();
    let loaded = store(&vfs).load().unwrap();
    assert_eq!((loaded.version, loaded.damaged), (Some(version(3)), vec![]));
}

#[test]
fn without_either_there_is_no_start_and_nothing_is_touched() {
    let vfs = SimVfs::new(1);
    vfs.create_dir_all("segments").unwrap();
    store(&vfs).save(&version(3)).unwrap();
    vfs.flip_bit(PATH, 500);
    vfs.flip_bit(COPY_PATH, 500);
    let error = store(&vfs).load().unwrap_err().to_string();
    assert!(error.contains("check store --repair"), "{error}");
    vfs.remove(PATH).unwrap();
    vfs.remove(COPY_PATH).unwrap();
    vfs.create("segments/x").unwrap();
    let error = store(&vfs).load().unwrap_err().to_string();
    assert!(error.contains("while there are segments"), "{error}");
    assert_eq!(vfs.list("").unwrap(), ["segments"]);
}

#[test]
fn a_newer_format_is_refused_even_beside_a_copy_of_this_one() {
    let vfs = SimVfs::new(1);
    store(&vfs).save(&version(3)).unwrap();
    let body = b"[\"whatever comes then\"]";
    let line = format!(
        "barograph-manifest 3 crc32c={:08x}\n",
        encoding::checksum(3, body)
    );
    let bytes = [line.as_bytes(), body].concat();
    vfs.create(PATH).unwrap().append(&bytes).unwrap();
    let error = store(&vfs).load().unwrap_err();
    assert!(matches!(error, EngineError::Newer { format: 3, .. }), "{error}");
}

#[test]
fn sim_a_power_cut_at_any_operation_leaves_the_old_state_or_the_new_in_each_file() {
    for_each_seed(20, |seed| {
        for operations in 0..14 {
            let vfs = SimVfs::new(seed);
            store(&vfs).save(&version(1)).unwrap();
            vfs.crash_after(operations);
            let saved = store(&vfs).save(&version(2)).is_ok();
            vfs.restart();
            for path in [PATH, COPY_PATH] {
                let found = decode(path, &vfs.read(path).unwrap()).unwrap();
                assert!(
                    found == version(2) || (found == version(1) && !saved),
                    "{path}: {found:?}"
                );
            }
            let loaded = store(&vfs).load().unwrap();
            assert!(loaded.damaged.is_empty(), "{:?}", loaded.damaged);
            vfs.restart();
            let copy = decode(COPY_PATH, &vfs.read(COPY_PATH).unwrap()).unwrap();
            assert_eq!(Some(copy), loaded.version, "both are durable once it is loaded");
        }
    });
}
