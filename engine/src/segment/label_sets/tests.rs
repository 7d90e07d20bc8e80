use barograph_model::SeriesId;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::*;
use crate::segment::series_file::{batch, read_batch};

fn rows(sets: &[Labels]) -> Vec<SeriesRow> {
    let row = |(i, labels): (usize, &Labels)| SeriesRow {
        id: SeriesId(i as i64),
        labels: Arc::new(labels.clone()),
        first_row: i as u64,
        rows: 1,
        ts_min: 0,
        ts_max: 0,
    };
    sets.iter().enumerate().map(row).collect()
}

/// Metrics of one pod each, in storage order.
fn pods(metrics: &[&str], pods: usize) -> Vec<Labels> {
    let of = |metric: &&str| {
        let metric = (*metric).to_owned();
        (0..pods).map(move |pod| {
            let pod = format!("pod-{pod}");
            Labels::from_pairs([("__name__", metric.as_str()), ("job", "kubelet"), ("pod", &pod)]).unwrap()
        })
    };
    metrics.iter().flat_map(of).collect()
}

/// A file with these rows, a page for every three of them.
fn file(rows: &[SeriesRow], targets: &[u32]) -> (Bytes, ArrowReaderMetadata) {
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(3)
        .set_write_batch_size(1)
        .build();
    let batch = batch(0, rows, targets).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let bytes = Bytes::from(bytes);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let footer = ArrowReaderMetadata::load(&bytes, options).unwrap();
    (bytes, footer)
}

#[test]
fn series_that_differ_in_their_metric_name_the_first_of_them() {
    let sets = pods(&["a", "b", "c"], 3);
    assert_eq!(targets(&rows(&sets)), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    assert!(targets(&[]).is_empty());
}

/// Reads a file in batches of two rows, as a merge does.
fn stream(bytes: &Bytes, footer: &ArrowReaderMetadata) -> Result<Vec<SeriesRow>> {
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), footer.clone())
        .with_batch_size(2)
        .build()
        .unwrap();
    let mut found: Vec<SeriesRow> = Vec::new();
    for batch in reader {
        let sets = |places: &[u32]| read_sets("x", bytes, footer, places);
        let more = read_batch("x", &batch.unwrap(), found.len() as u64, found.last(), sets)?;
        found.extend(more);
    }
    Ok(found)
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        sets in proptest::collection::btree_set(
            ("[ab]?", proptest::collection::btree_map("[cd]", "[xy]", 0..3)), 1..20),
        picked in proptest::collection::btree_set(0..20u32, 0..8),
    ) {
        let sets: Vec<Labels> = sets
            .iter()
            .map(|(metric, others)| Labels::from_pairs(others).unwrap().with_metric(metric))
            .collect();
        let rows = rows(&sets);
        let (bytes, footer) = file(&rows, &targets(&rows));
        let labels = |rows: Vec<SeriesRow>| rows.iter().map(|r| r.labels.as_ref().clone()).collect::<Vec<_>>();
        prop_assert_eq!(labels(stream(&bytes, &footer).unwrap()), sets.clone());
        let picked: Vec<u32> = picked.into_iter().filter(|p| (*p as usize) < sets.len()).collect();
        let found = read_labels("x", &bytes, &footer, &picked).unwrap();
        let found: Vec<Labels> = found.iter().map(|set| set.as_ref().clone()).collect();
        let expected: Vec<Labels> = picked.iter().map(|p| sets[*p as usize].clone()).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_target_that_has_no_labels_is_damage() {
    let rows = rows(&pods(&["a", "b"], 2));
    for (targets, place) in [([0, 1, 9, 1], 2), ([0, 1, 3, 1], 2), ([0, 0, 1, 1], 2)] {
        let (bytes, footer) = file(&rows, &targets);
        let error = read_labels("x", &bytes, &footer, &[place]).unwrap_err();
        assert!(matches!(error, EngineError::Corrupt { .. }), "{error}");
    }
    // In the order of the file a row that names a later one is seen at once.
    let (bytes, footer) = file(&rows, &[0, 1, 3, 1]);
    let error = stream(&bytes, &footer).unwrap_err();
    assert!(error.to_string().contains("lacks labels"), "{error}");
}
