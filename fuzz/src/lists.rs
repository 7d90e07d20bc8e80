//! Lists with a checksum in their first line: the files of a backup, and views.

use std::path::{Component, Path};
use std::sync::Arc;

use barograph::cli::backup::Backup;
use barograph_engine::vfs::{SimVfs, Vfs};
use barograph_query::sql::{VIEWS_FILE, Views};

use crate::{journal, seal};

/// A list of a backup that is read leaves no data directory, and is written as it was read.
#[allow(
    clippy::expect_used,
    reason = "what was read is written, or the target has found a bug"
)]
pub(crate) fn backup(text: &[u8]) {
    let backup = match Backup::decode(&seal::backup(text)) {
        Ok(backup) => backup,
        Err(what) => {
            assert!(
                !what.is_empty() && !what.contains("CRC"),
                "behind the checksum: {what}"
            );
            return;
        }
    };
    for file in &backup.files {
        let mut parts = Path::new(&file.path).components();
        let is_inside = !file.path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)));
        assert!(is_inside, "{:?}", file.path);
    }
    assert!(backup.samples() <= backup.rows());
    let bytes = backup
        .files
        .iter()
        .map(|file| u128::from(file.sum.bytes))
        .sum::<u128>();
    assert_eq!(u128::from(backup.bytes()), bytes.min(u64::MAX.into()));
    let written = backup.encode().expect("a list is written");
    assert_eq!(Backup::decode(&written).as_ref(), Ok(&backup));
}

/// Views are read, or set aside and told of, and the start after that finds no damage.
#[allow(
    clippy::expect_used,
    reason = "a disk in memory works, or the target has found a bug"
)]
pub(crate) fn views(text: &[u8]) {
    let sealed = seal::views(text);
    let checked = Views::check(&sealed);
    let disk: Arc<dyn Vfs> = Arc::new(SimVfs::new(7));
    journal::write(disk.as_ref(), VIEWS_FILE, &sealed);
    let views = Views::open(Arc::clone(&disk)).expect("damage is no error");
    assert_eq!(views.damage(), checked.as_ref().err().map(String::as_str));
    let kept = disk.read(VIEWS_FILE).ok();
    assert_eq!(kept.is_some(), checked.is_ok(), "what is damaged is set aside");
    let again = Views::open(disk).expect("damage is no error");
    assert_eq!(again.damage(), None);
}
