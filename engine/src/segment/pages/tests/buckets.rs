//! Files of buckets.

use parquet::arrow::ArrowWriter;

use super::{Rows, damaged, footer, series};
use crate::rollup::{Bucket, BucketParts, PendingBuckets, RollupWidth, buckets_of, schema};
use crate::segment::pages::BucketPages;
use crate::segment::rollup_writer::properties;
use crate::segment::{SegmentKind, SegmentMeta};
use barograph_model::{SeriesId, TimestampMs};
use bytes::Bytes;
use proptest::prelude::*;

/// A store's file with other sizes; a dictionary of few bytes makes plain pages.
fn file(series: &[Vec<Bucket>], group_rows: usize, page_rows: usize, dictionary_bytes: usize) -> Bytes {
    let meta = SegmentMeta {
        kind: SegmentKind::FiveMinutes,
        ..SegmentMeta::begin("x".to_owned(), 0, 1, TimestampMs(0))
    };
    let properties = properties(group_rows, &meta)
        .into_builder()
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows.div_ceil(2))
        .set_dictionary_page_size_limit(dictionary_bytes)
        .build();
    let mut pending = PendingBuckets::default();
    for (id, buckets) in series.iter().enumerate() {
        pending.push_series(SeriesId(id as i64), buckets);
    }
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema(), Some(properties)).unwrap();
    writer.write(&pending.take_batch().unwrap()).unwrap();
    writer.close().unwrap();
    Bytes::from(bytes)
}

/// What is wanted of a bucket, the rest as a reader leaves it.
fn masked(bucket: &Bucket, parts: BucketParts) -> Bucket {
    use BucketParts as P;
    let mut masked = Bucket::empty(bucket.end);
    (masked.stale_ts, masked.count) = (bucket.stale_ts, bucket.count);
    if parts.has(P::INSTANTS) {
        (masked.first_ts, masked.last_ts) = (bucket.first_ts, bucket.last_ts);
    }
    let wanted = |part, number: f64| if parts.has(part) { number } else { 0.0 };
    Bucket {
        resets: if parts.has(P::RESETS) { bucket.resets } else { 0 },
        changes: if parts.has(P::CHANGES) { bucket.changes } else { 0 },
        sum: wanted(P::SUM, bucket.sum),
        min: wanted(P::MIN, bucket.min),
        max: wanted(P::MAX, bucket.max),
        first: wanted(P::FIRST, bucket.first),
        last: wanted(P::LAST, bucket.last),
        before_resets: wanted(P::INCREASE, bucket.before_resets),
        ..masked
    }
}

/// Buckets of rows that lie minutes apart or more, some without a value.
fn buckets() -> impl Strategy<Value = Vec<Bucket>> {
    let scale = |rows: &Rows| -> Vec<Bucket> {
        let ts: Vec<i64> = rows.iter().map(|row| row.0.saturating_mul(20_000)).collect();
        let values: Vec<f64> = rows.iter().map(|row| row.1).collect();
        buckets_of(RollupWidth::FiveMinutes, &ts, &values)
    };
    series().prop_map(move |rows| scale(&rows))
}

/// Every union of two parts.
fn parts() -> Vec<BucketParts> {
    use BucketParts as P;
    let single = [
        P::NONE,
        P::INSTANTS,
        P::SUM,
        P::FIRST,
        P::LAST,
        P::MIN,
        P::MAX,
        P::RESETS,
        P::CHANGES,
        P::INCREASE,
        P::ALL,
    ];
    single
        .iter()
        .flat_map(|a| single.iter().map(|b| a.and(*b)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_wanted_of_chosen_buckets_is_read_and_no_more(
        series in proptest::collection::vec(buckets(), 1..8),
        group_rows in 20usize..900,
        page_rows in 1usize..300,
        dictionary_bytes in prop_oneof![Just(1usize), Just(20), Just(1 << 20)],
        chosen in any::<u8>(),
    ) {
        let bytes = file(&series, group_rows, page_rows, dictionary_bytes);
        for parts in parts() {
            let mut pages = BucketPages::open("x", &bytes, &footer(&bytes), parts).unwrap();
            let mut start = 0;
            for (i, buckets) in series.iter().enumerate() {
                let rows = start..start + buckets.len();
                start = rows.end;
                if chosen >> i & 1 == 0 {
                    continue;
                }
                let mut found = vec![Bucket::empty(7)];
                pages.read(rows, &mut found).unwrap();
                prop_assert_eq!(found.len(), buckets.len() + 1);
                for (found, bucket) in found[1..].iter().zip(buckets) {
                    let expected = masked(bucket, parts);
                    prop_assert!(found.is_same(&expected), "{:?}: {:?}, not {:?}", parts, found, expected);
                }
            }
        }
    }

    #[test]
    fn damage_is_an_error_or_other_buckets(
        series in proptest::collection::vec(buckets(), 1..4),
        page_rows in 8usize..200,
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6),
    ) {
        let bytes = file(&series, 500, page_rows, 1 << 20);
        let footer = footer(&bytes);
        let bytes = damaged(&bytes, &footer, &changes);
        let mut pages = BucketPages::open("x", &bytes, &footer, BucketParts::ALL).unwrap();
        let (mut start, mut found) = (0, Vec::new());
        for buckets in &series {
            let before = found.len();
            if pages.read(start..start + buckets.len(), &mut found).is_err() {
                prop_assert_eq!(found.len(), before, "nothing of what could not be read");
                break;
            }
            prop_assert_eq!(found.len(), before + buckets.len());
            start += buckets.len();
        }
    }
}
