//! Backups in folders, without a process around them.

use std::path::Path;

use bytes::Bytes;
use futures::StreamExt;

use super::depot::{Depot, open};
use super::sum::FileSum;
use super::*;

fn folder() -> (tempfile::TempDir, std::sync::Arc<dyn Depot>) {
    let root = tempfile::tempdir().unwrap();
    let depot = open(root.path().join("place").to_str().unwrap()).unwrap();
    (root, depot)
}

fn write(root: &Path, bytes: &[u8]) -> (PathBuf, FileSum) {
    let path = root.join("source");
    std::fs::write(&path, bytes).unwrap();
    let sum = FileSum::of(&path).unwrap();
    (path, sum)
}

async fn read(depot: &dyn Depot, key: &str) -> Vec<u8> {
    let mut pieces = depot.read(key).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    bytes
}

#[tokio::test]
async fn a_folder_holds_whole_files_only() {
    let (root, depot) = folder();
    depot.begin().await.unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
    let (source, sum) = write(root.path(), &bytes);
    depot
        .put_file("files/x/segments/a", &source, sum, &|_| {})
        .await
        .unwrap();
    assert_eq!(read(depot.as_ref(), "files/x/segments/a").await, bytes);
    let wrong = FileSum {
        crc32c: sum.crc32c ^ 1,
        ..sum
    };
    let error = depot
        .put_file("files/x/segments/b", &source, wrong, &|_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, BackupFailure::Differs { .. }), "{error}");
    depot.put("backups/n", Bytes::from_static(b"list")).await.unwrap();
    let listed = depot.list("files").await.unwrap();
    assert_eq!(
        listed.into_iter().collect::<Vec<_>>(),
        [("files/x/segments/a".to_owned(), 3_000_000)],
        "a file that is not what it should be does not appear"
    );
    assert!(depot.list("nowhere").await.unwrap().is_empty());
    assert_eq!(read(depot.as_ref(), "backups/n").await, b"list");
}

#[tokio::test]
async fn one_backup_at_a_time_writes_to_a_folder_and_clears_what_was_cut_short() {
    let (root, depot) = folder();
    depot.begin().await.unwrap();
    let place = root.path().join("place");
    std::fs::create_dir_all(place.join("files/x")).unwrap();
    std::fs::write(place.join("files/x/a.part"), b"half").unwrap();
    assert!(depot.list("files").await.unwrap().is_empty());
    let second = open(place.to_str().unwrap()).unwrap();
    let error = second.begin().await.unwrap_err();
    assert!(matches!(error, BackupFailure::Busy { .. }), "{error}");
    drop(depot);
    second.begin().await.unwrap();
    assert!(!place.join("files/x/a.part").exists());
}

#[test]
fn places_are_folders_and_buckets() {
    for (text, expected) in [
        ("", "it is empty"),
        ("s3://", "no bucket"),
        ("s3:///prefix", "no bucket"),
        ("gs://bucket", "gs:// is not supported"),
    ] {
        let message = open(text).unwrap_err().to_string();
        assert!(
            message.contains(expected) && message.contains("s3://BUCKET/PREFIX"),
            "{message}"
        );
    }
    assert_eq!(open("s3://b/p/").unwrap().shown(), "s3://b/p");
    assert_eq!(open("a/b").unwrap().shown(), "a/b");
}
