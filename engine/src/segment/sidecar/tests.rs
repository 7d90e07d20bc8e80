use std::sync::Arc;

use barograph_model::{Labels, MatchOp, Matcher, SeriesId, TimestampMs, matches_all};
use bytes::Bytes;
use proptest::prelude::*;

use super::writer::{SeriesIndex, encode};
use super::{FileSums, Sidecar};
use crate::index::StorageKey;
use crate::segment::SegmentMeta;
use crate::segment::series_file::SeriesRow;

fn meta(rows: &[SeriesRow]) -> SegmentMeta {
    SegmentMeta {
        rows: rows.iter().map(|r| r.rows).sum(),
        series: rows.len() as u64,
        ts_min: 0,
        ts_max: 1,
        samples_bytes: 300_000,
        samples_crc32c: 7,
        series_bytes: 10,
        series_crc32c: 8,
        ..SegmentMeta::begin("segments/x".to_owned(), 0, 1, TimestampMs(0))
    }
}

/// Series in storage order, their ids counting down so that they are not in order across groups.
fn rows(sets: &[Labels]) -> Vec<SeriesRow> {
    let mut sets = sets.to_vec();
    sets.sort();
    sets.dedup();
    let count = sets.len() as i64;
    let mut rows: Vec<_> = (0..)
        .zip(sets)
        .map(|(i, labels)| SeriesRow {
            id: SeriesId(count - i),
            labels: Arc::new(labels),
            first_row: 0,
            rows: 1 + i as u64 % 3,
            ts_min: 0,
            ts_max: 1,
        })
        .collect();
    rows.sort_by_key(|row| (StorageKey::of(&row.labels), row.id));
    let mut first_row = 0;
    for row in &mut rows {
        row.first_row = first_row;
        first_row += row.rows;
    }
    rows
}

fn bytes(rows: &[SeriesRow]) -> Bytes {
    let sums = FileSums {
        samples: &[1, 2],
        series: &[3],
    };
    let index = SeriesIndex::of(&meta(rows), rows).unwrap();
    Bytes::from(encode(&meta(rows), index, &sums))
}

fn sets() -> impl Strategy<Value = Vec<Labels>> {
    let set = proptest::collection::btree_map("(__name__|job|instance|a|ab)", "[xyz]{1,2}", 0..5);
    proptest::collection::vec(set.prop_map(|pairs| Labels::from_pairs(&pairs).unwrap()), 0..40)
}

proptest! {
    #[test]
    fn answers_as_the_series_do(
        sets in sets(),
        mask in any::<u64>(),
        conditions in proptest::collection::vec(
            ("(a|ab|job|q)", 0..4usize, prop_oneof!["[xyz]{0,2}", Just(".*".to_owned()), Just("x.|y".to_owned())]), 0..4),
    ) {
        let rows = rows(&sets);
        let sidecar = Sidecar::open(&meta(&rows), &bytes(&rows)).unwrap();
        sidecar.read_all().unwrap();
        for (place, row) in rows.iter().enumerate() {
            let place = place as u32;
            prop_assert_eq!(sidecar.id(place), row.id);
            prop_assert_eq!(sidecar.rows(place), row.first_row as usize..(row.first_row + row.rows) as usize);
            let group = sidecar.group_of(place);
            prop_assert_eq!(sidecar.group_key(group), StorageKey::of(&row.labels));
            prop_assert_eq!(sidecar.find_group(&StorageKey::of(&row.labels)), Some(group));
            prop_assert_eq!(sidecar.find(group, row.id), Some(place));
            prop_assert_eq!(sidecar.find(group, SeriesId(-1)), None);
        }
        let some: Vec<usize> = (0..sidecar.groups()).filter(|group| mask >> (group % 64) & 1 == 1).collect();
        let keys: Vec<StorageKey> = some.iter().map(|group| sidecar.group_key(*group)).collect();
        prop_assert_eq!(sidecar.group_keys(&some), keys);
        let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
        let matchers: Vec<Matcher> =
            conditions.iter().map(|(n, op, v)| Matcher::new(n, ops[*op], v).unwrap()).collect();
        let passing: Vec<&SeriesRow> = rows.iter().filter(|r| matches_all(&matchers, &r.labels)).collect();
        let selected = sidecar.select(&matchers).unwrap();
        let found: Vec<SeriesId> = selected.iter().map(|place| sidecar.id(place)).collect();
        prop_assert_eq!(found, passing.iter().map(|r| r.id).collect::<Vec<_>>());
        let mut names = Vec::new();
        sidecar.label_names(&selected, |name| names.push(name.to_owned())).unwrap();
        names.sort();
        let expected: std::collections::BTreeSet<_> =
            passing.iter().flat_map(|r| r.labels.iter()).map(|(name, _)| name.to_owned()).collect();
        prop_assert_eq!(names, expected.into_iter().collect::<Vec<_>>());
        let mut values = Vec::new();
        sidecar.label_values("a", &selected, |value| values.push(value.to_owned())).unwrap();
        let expected: std::collections::BTreeSet<_> =
            passing.iter().map(|r| r.labels.get("a").to_owned()).filter(|v| !v.is_empty()).collect();
        prop_assert_eq!(values, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn damage_anywhere_is_found(sets in sets(), at in any::<proptest::sample::Index>(), bit in 0..8u32) {
        let rows = rows(&sets);
        let mut damaged = bytes(&rows).to_vec();
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        prop_assert!(Sidecar::open(&meta(&rows), &Bytes::from(damaged.clone())).is_err(), "byte {}", at);
        prop_assert!(Sidecar::open(&meta(&rows), &Bytes::from(damaged).slice(..at)).is_err());
    }
}

#[test]
fn another_segments_sidecar_is_refused() {
    let rows = rows(&[Labels::from_pairs([("__name__", "up")]).unwrap()]);
    let other = SegmentMeta {
        samples_crc32c: 9,
        ..meta(&rows)
    };
    let error = Sidecar::open(&other, &bytes(&rows)).unwrap_err();
    assert!(error.to_string().contains("samples_crc32c: 9"), "{error}");
}

/// Bytes whose checksums are right, and that no writer writes.
#[test]
fn tables_that_do_not_ascend_are_refused() {
    let sets = ["a", "b"].map(|metric| Labels::from_pairs([("__name__", metric)]).unwrap());
    let rows = rows(&sets);
    let index = |rows: &[SeriesRow]| SeriesIndex::of(&meta(rows), rows).unwrap();
    let sums = FileSums {
        samples: &[1, 2],
        series: &[3],
    };
    let mut turned = rows.clone();
    turned[0].first_row = 9;
    let bytes = Bytes::from(encode(&meta(&rows), index(&turned), &sums));
    let error = Sidecar::open(&meta(&rows), &bytes).unwrap_err();
    assert!(error.to_string().contains("first rows that ascend"), "{error}");
    // Labels of series that are not there.
    let fewer = SegmentMeta {
        series: 1,
        ..meta(&rows)
    };
    let bytes = Bytes::from(encode(&meta(&rows), index(&rows), &sums));
    assert!(Sidecar::open(&fewer, &bytes).is_err());
}

#[test]
fn checksums_of_blocks_come_back() {
    let sidecar = Sidecar::open(&meta(&[]), &bytes(&[])).unwrap();
    assert_eq!(sidecar.block_sums(), (vec![1, 2], vec![3]));
}
