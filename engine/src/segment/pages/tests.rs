//! Files as the writer makes them, with small pages and row groups, read back in parts and damaged.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampMillisecondArray};
use barograph_model::{TimeRange, TimestampMs};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::PageIndexPolicy;
use proptest::prelude::*;

use super::SamplePages;
use crate::segment::SegmentMeta;
use crate::segment::decimal::DecimalColumns;
use crate::segment::instants::InstantEncoding;
use crate::segment::schema::{samples_properties, samples_schema};

mod buckets;

/// Rows of one series.
type Rows = Vec<(i64, f64)>;

fn file(series: &[Rows], group_rows: usize, page_rows: usize, instants: InstantEncoding) -> Bytes {
    let meta = SegmentMeta::begin("x".to_owned(), 0, 1, TimestampMs(0));
    let properties = samples_properties(group_rows, &meta, instants)
        .into_builder()
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows.div_ceil(2))
        .build();
    let mut values = DecimalColumns::default();
    let (mut ts, mut ids) = (Vec::new(), Vec::new());
    for (id, rows) in series.iter().enumerate() {
        values.push_series(&rows.iter().map(|row| row.1).collect::<Vec<_>>());
        ts.extend(rows.iter().map(|row| row.0));
        ids.extend(rows.iter().map(|_| id as i64));
    }
    let flags = vec![0; ts.len()];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(ids)),
        Arc::new(TimestampMillisecondArray::from(ts).with_timezone("UTC")),
        Arc::new(Int64Array::from(values.mantissas)),
        Arc::new(Int32Array::from(values.exponents)),
        Arc::new(Float64Array::from(values.floats)),
        Arc::new(Int32Array::from(flags)),
    ];
    let batch = RecordBatch::try_new(samples_schema(), columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, samples_schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    Bytes::from(bytes)
}

fn footer(bytes: &Bytes) -> ArrowReaderMetadata {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    ArrowReaderMetadata::load(bytes, options).unwrap()
}

/// The file with other bytes in front of its page index.
fn damaged(bytes: &Bytes, footer: &ArrowReaderMetadata, changes: &[(u16, u8)]) -> Bytes {
    let groups = footer.metadata().row_groups().iter();
    let ends = groups
        .flat_map(|group| group.columns())
        .map(|c| c.byte_range().0 + c.byte_range().1);
    let end = ends.max().unwrap() as usize;
    let mut damaged = bytes.to_vec();
    for (at, byte) in changes {
        damaged[usize::from(*at) % end] = *byte;
    }
    Bytes::from(damaged)
}

fn instant_encoding() -> impl Strategy<Value = InstantEncoding> {
    prop_oneof![Just(InstantEncoding::Steps), Just(InstantEncoding::Split)]
}

/// What a reader finds of chosen series in a range, and what there is.
fn check(bytes: &Bytes, series: &[Rows], chosen: impl Fn(usize) -> bool, first: i64, last: i64) {
    let mut pages = SamplePages::open("x", bytes, &footer(bytes)).unwrap();
    let mut start = 0;
    for (i, rows) in series.iter().enumerate() {
        let range = start..start + rows.len();
        start = range.end;
        if !chosen(i) {
            continue;
        }
        let (mut ts, mut values) = (vec![7], vec![7.0]);
        pages
            .read(range, TimeRange::new(first, last), &mut ts, &mut values)
            .unwrap();
        let within = rows.iter().filter(|row| (first..=last).contains(&row.0));
        let expected: Vec<(i64, u64)> = std::iter::once(&(7, 7.0))
            .chain(within)
            .map(|row| (row.0, row.1.to_bits()))
            .collect();
        let found: Vec<(i64, u64)> = ts.into_iter().zip(values.into_iter().map(f64::to_bits)).collect();
        assert_eq!(found, expected, "series {i}, {first} to {last}");
    }
}

/// A series: even steps or not, and values of one kind or of all kinds.
fn series() -> impl Strategy<Value = Rows> {
    let value = prop_oneof![
        8 => (-500i64..500).prop_map(|m| m as f64),
        4 => (-99_999i64..99_999, 0i32..5).prop_map(|(m, e)| m as f64 / 10f64.powi(e)),
        1 => any::<f64>(),
        1 => Just(f64::from_bits(0x7ff0_0000_0000_0002)),
    ];
    let values = prop_oneof![
        proptest::collection::vec((-9i64..9).prop_map(|m| m as f64), 1..400),
        proptest::collection::vec((0i64..1 << 53).prop_map(|m| m as f64), 1..100),
        proptest::collection::vec(value, 1..300),
    ];
    let step = prop_oneof![Just(0i64), 1i64..50, Just(1i64 << 45)];
    (values, step, 0i64..1000).prop_map(|(values, jitter, start)| {
        let mut ts = start;
        let next = |(i, value): (usize, f64)| {
            ts += 10
                + if jitter == 0 {
                    0
                } else {
                    (i as i64 * 7919) % jitter
                };
            (ts, value)
        };
        values.into_iter().enumerate().map(next).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_row_in_the_range_is_read_and_no_other(
        series in proptest::collection::vec(series(), 1..8),
        group_rows in 20usize..900,
        page_rows in 1usize..300,
        instants in instant_encoding(),
        chosen in any::<u8>(),
        range in (0i64..6000, 0i64..6000),
    ) {
        let bytes = file(&series, group_rows, page_rows, instants);
        check(&bytes, &series, |_| true, i64::MIN, i64::MAX);
        check(&bytes, &series, |i| chosen >> i & 1 == 1, range.0.min(range.1), range.0.max(range.1));
    }

    #[test]
    fn damage_is_an_error_or_other_numbers(
        series in proptest::collection::vec(series(), 1..4),
        page_rows in 8usize..200,
        instants in instant_encoding(),
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6),
    ) {
        let bytes = file(&series, 500, page_rows, instants);
        let footer = footer(&bytes);
        let mut pages = SamplePages::open("x", &damaged(&bytes, &footer, &changes), &footer).unwrap();
        let mut start = 0;
        for rows in &series {
            let (mut ts, mut values) = (Vec::new(), Vec::new());
            let range = start..start + rows.len();
            if pages.read(range, TimeRange::new(50, 2000), &mut ts, &mut values).is_err() {
                break;
            }
            assert!(ts.len() == values.len() && ts.len() <= rows.len());
            start += rows.len();
        }
    }
}

#[test]
fn numbers_of_every_width_come_back() {
    for width in 0..=53u32 {
        let values =
            (0..2000i64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)) & ((1 << width) - 1));
        let rows: Rows = (0..)
            .zip(values)
            .map(|(i, value)| (i * 15_000, value as f64))
            .collect();
        let bytes = file(
            &[rows.clone(), rows.clone()],
            1 << 20,
            1500,
            InstantEncoding::Steps,
        );
        check(&bytes, &[rows.clone(), rows], |i| i == 1, 300_000, 20_000_000);
    }
}
