//! The columns of both files and how each is encoded.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::SegmentMeta;
use super::instants::InstantEncoding;

/// Bit of `flags`: the value is the staleness marker.
pub(crate) const FLAG_STALE: i32 = 1;

/// The version of the layout, in the key-value metadata of each file as `barograph.format`.
const FORMAT: &str = "3";

/// Rows of a data page at most: what a selective reader decodes of columns that say next to nothing.
pub(super) const PAGE_ROWS: usize = 20_000;

/// Bytes of a page of mantissas, packed and not yet compressed, after which it ends: some thousand rows, since whoever
/// wants rows of a page decompresses all of it and passes over the rows before. Half of it would take 2 % more on disk.
const MANTISSA_PAGE_BYTES: usize = 2 << 10;

/// Series of a data page of the series file: who asks for one reads so many.
pub(super) const PAGE_SERIES: usize = 2_048;

/// The column of the labels' values.
fn label_values() -> ColumnPath {
    ColumnPath::new(["labels", "key_value", "value"].map(str::to_owned).to_vec())
}

/// Bytes of ids in the dictionary of a row group. Beyond it ids would be stored once a row.
const DICTIONARY_BYTES: usize = 16 << 20;

/// An instant in milliseconds.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// The samples file.
pub(crate) fn samples_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("series_id", DataType::Int64, false),
        Field::new("ts", timestamp(), false),
        Field::new("vm", DataType::Int64, false),
        Field::new("ve", DataType::Int32, false),
        Field::new("vf", DataType::Float64, true),
        Field::new("flags", DataType::Int32, false),
    ]))
}

/// The series file.
pub(crate) fn series_schema() -> SchemaRef {
    let entry = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, false),
    ]);
    let labels = DataType::Map(
        Arc::new(Field::new("key_value", DataType::Struct(entry), false)),
        false,
    );
    Arc::new(Schema::new(vec![
        Field::new("series_id", DataType::Int64, false),
        Field::new("metric", DataType::Utf8, false),
        Field::new("target", DataType::Int64, false),
        Field::new("labels", labels, true),
        Field::new("first_row", DataType::Int64, false),
        Field::new("rows", DataType::Int64, false),
        Field::new("ts_min", timestamp(), false),
        Field::new("ts_max", timestamp(), false),
    ]))
}

/// What all columns of the samples file have in common.
pub(super) fn samples_base() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(zstd())
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
}

/// How the samples file is written. Integers that move by similar steps are what DELTA_BINARY_PACKED is for; ids,
/// exponents and flags hardly change from row to row, so a dictionary with runs makes them vanish.
pub(crate) fn samples_properties(
    row_group_rows: usize,
    meta: &SegmentMeta,
    instants: InstantEncoding,
) -> WriterProperties {
    let mut builder = instants
        .apply(samples_base())
        .set_max_row_group_row_count(Some(row_group_rows.max(1)))
        .set_key_value_metadata(Some(metadata(meta)))
        .set_column_encoding(ColumnPath::from("vm"), Encoding::DELTA_BINARY_PACKED)
        .set_column_data_page_size_limit(ColumnPath::from("vm"), MANTISSA_PAGE_BYTES)
        .set_column_data_page_size_limit(ColumnPath::from("vf"), PAGE_ROWS * size_of::<f64>());
    for dictionary in ["series_id", "ve", "flags"] {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(dictionary), true);
    }
    builder
        .set_column_encoding(ColumnPath::from("vf"), Encoding::BYTE_STREAM_SPLIT)
        .build()
}

/// How the series file is written.
pub(crate) fn series_properties(meta: &SegmentMeta) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(zstd())
        .set_data_page_row_count_limit(PAGE_SERIES)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_key_value_metadata(Some(whole_metadata(meta)));
    for delta in ["target", "first_row", "rows", "ts_min", "ts_max"] {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from(delta), false)
            .set_column_encoding(ColumnPath::from(delta), Encoding::DELTA_BINARY_PACKED);
    }
    // A page of plain values stands alone. A dictionary is smaller where many series share long values, but who asks
    // for the labels of one series would decode all of it.
    builder = builder
        .set_column_dictionary_enabled(label_values(), false)
        .set_column_encoding(label_values(), Encoding::PLAIN);
    // Ids are hashes: nothing makes them smaller.
    builder
        .set_column_dictionary_enabled(ColumnPath::from("series_id"), false)
        .set_column_compression(ColumnPath::from("series_id"), Compression::UNCOMPRESSED)
        .build()
}

pub(super) fn zstd() -> Compression {
    // 3 is inside the library's range; were it not, its own default would serve.
    Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default())
}

/// What a file says of itself: the layout, and which of two segments is newer.
pub(super) fn metadata(meta: &SegmentMeta) -> Vec<KeyValue> {
    vec![
        pair("format", FORMAT.to_owned()),
        pair("sequence", meta.sequence.to_string()),
        pair("window", meta.window.to_string()),
    ]
}

/// All that the manifest knows of the segment when its series are written, so that a lost manifest can be made again.
fn whole_metadata(meta: &SegmentMeta) -> Vec<KeyValue> {
    let mut pairs = metadata(meta);
    // Text and whole numbers always make JSON.
    pairs.extend(serde_json::to_string(meta).map(|meta| pair("segment", meta)));
    pairs
}

fn pair(key: &str, value: String) -> KeyValue {
    KeyValue::new(format!("barograph.{key}"), value)
}
