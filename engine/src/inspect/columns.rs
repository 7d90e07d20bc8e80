//! The columns of a Parquet file: how they are encoded and what they cost.

use std::path::PathBuf;

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use serde::Serialize;

use crate::segment::Walk;
use crate::{EngineError, Result};

/// The longest text of a statistic that is shown.
const TEXT_BYTES_MAX: usize = 64;

/// A Parquet file as its footer tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParquetFigures {
    /// Length of the file.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Row groups.
    pub row_groups: u64,
    /// The program that wrote it.
    pub created_by: Option<String>,
    /// The version of Barograph's layout; `None` in a file that is not its own.
    pub format: Option<String>,
    /// Bytes of the file that belong to no column: footer and page index.
    pub footer_bytes: u64,
    /// The columns in their order.
    pub columns: Vec<ColumnFigures>,
}

/// One column over all row groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnFigures {
    /// Its name, with a point between the names of nested ones.
    pub name: String,
    /// The Parquet type.
    pub physical_type: String,
    /// The encodings of its pages, levels and dictionaries among them.
    pub encodings: Vec<String>,
    /// The compression.
    pub compression: String,
    /// Values, nulls among them.
    pub values: u64,
    /// Nulls, where the file says how many.
    pub nulls: Option<u64>,
    /// Data pages, where the file has a page index.
    pub pages: Option<u64>,
    /// Bytes in the file.
    pub compressed_bytes: u64,
    /// Bytes before compression.
    pub uncompressed_bytes: u64,
    /// The least value, as text; `None` where the file has no statistics.
    pub min: Option<String>,
    /// The greatest value.
    pub max: Option<String>,
}

/// Reads them from the footer.
pub(super) fn figures(path: &str, walk: &Walk, bytes: u64) -> Result<ParquetFigures> {
    let metadata = walk.footer().metadata();
    let file = metadata.file_metadata();
    let column_count = file.schema_descr().num_columns();
    let ragged = metadata
        .row_groups()
        .iter()
        .any(|group| group.num_columns() != column_count);
    if ragged {
        return Err(EngineError::Corrupt {
            path: PathBuf::from(path),
            offset: 0,
            expected: format!("{column_count} columns in each row group"),
            found: "another number".to_owned(),
        });
    }
    let columns: Vec<ColumnFigures> = (0..column_count).map(|i| column(metadata, i)).collect();
    let of_columns: u64 = columns.iter().map(|c| c.compressed_bytes).sum();
    Ok(ParquetFigures {
        bytes,
        rows: positive(file.num_rows()),
        row_groups: metadata.num_row_groups() as u64,
        created_by: file.created_by().map(str::to_owned),
        format: walk.key("barograph.format").map(str::to_owned),
        footer_bytes: bytes.saturating_sub(of_columns),
        columns,
    })
}

fn column(metadata: &ParquetMetaData, i: usize) -> ColumnFigures {
    let descriptor = metadata.file_metadata().schema_descr().column(i);
    let chunks = || metadata.row_groups().iter().map(|group| group.column(i));
    let sum = |of: fn(&ColumnChunkMetaData) -> i64| chunks().map(|chunk| positive(of(chunk))).sum();
    let mut encodings: Vec<String> = chunks()
        .flat_map(|c| c.encodings().map(|e| e.to_string()))
        .collect();
    encodings.sort_unstable();
    encodings.dedup();
    let compressions: Vec<String> = chunks()
        .map(|chunk| format!("{:?}", chunk.compression_codec()))
        .collect();
    let nulls = chunks().map(|chunk| chunk.statistics()?.null_count_opt());
    let pages = metadata.offset_index().map(|index| {
        index
            .iter()
            .filter_map(|group| group.get(i))
            .map(|c| c.page_locations().len() as u64)
            .sum()
    });
    let (mut min, mut max): (Option<Bound>, Option<Bound>) = (None, None);
    for (low, high) in chunks().filter_map(|chunk| bounds(chunk.statistics()?)) {
        if min.as_ref().is_none_or(|min| low.is_below(min)) {
            min = Some(low);
        }
        if max.as_ref().is_none_or(|max| max.is_below(&high)) {
            max = Some(high);
        }
    }
    ColumnFigures {
        name: descriptor.path().string(),
        physical_type: descriptor.physical_type().to_string(),
        encodings,
        compression: compressions.into_iter().next().unwrap_or_default(),
        values: sum(ColumnChunkMetaData::num_values),
        nulls: nulls.sum(),
        pages,
        compressed_bytes: sum(ColumnChunkMetaData::compressed_size),
        uncompressed_bytes: sum(ColumnChunkMetaData::uncompressed_size),
        min: min.map(Bound::into_text),
        max: max.map(Bound::into_text),
    }
}

/// A value of the statistics.
#[derive(Debug, Clone)]
enum Bound {
    Whole(i64),
    Float(f64),
    Text(Vec<u8>),
}

impl Bound {
    fn is_below(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a < b,
            (Self::Float(a), Self::Float(b)) => a < b,
            (Self::Text(a), Self::Text(b)) => a < b,
            _ => false, // one column has one type
        }
    }

    fn into_text(self) -> String {
        match self {
            Self::Whole(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(bytes) => {
                let shown = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
                String::from_utf8_lossy(shown).into_owned()
            }
        }
    }
}

fn bounds(statistics: &Statistics) -> Option<(Bound, Bound)> {
    Some(match statistics {
        Statistics::Int32(s) => (
            Bound::Whole(i64::from(*s.min_opt()?)),
            Bound::Whole(i64::from(*s.max_opt()?)),
        ),
        Statistics::Int64(s) => (Bound::Whole(*s.min_opt()?), Bound::Whole(*s.max_opt()?)),
        Statistics::Float(s) => (
            Bound::Float(f64::from(*s.min_opt()?)),
            Bound::Float(f64::from(*s.max_opt()?)),
        ),
        Statistics::Double(s) => (Bound::Float(*s.min_opt()?), Bound::Float(*s.max_opt()?)),
        Statistics::ByteArray(s) => (
            Bound::Text(s.min_opt()?.data().to_vec()),
            Bound::Text(s.max_opt()?.data().to_vec()),
        ),
        _ => return None,
    })
}

/// A count of the footer, whatever a damaged one says.
pub(super) fn positive(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// Rows of a file that cost so many bytes of it together: a page, or a dictionary that serves a whole row group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) bytes: u64,
}

/// The pieces of all columns: each byte of the columns is in one of them, and those of a column follow one another
/// but for its dictionaries.
pub(super) fn pieces(walk: &Walk) -> Vec<Piece> {
    let metadata = walk.footer().metadata();
    let mut pieces = Vec::new();
    let mut base = 0u64;
    for (g, group) in metadata.row_groups().iter().enumerate() {
        let rows = positive(group.num_rows());
        for (c, chunk) in group.columns().iter().enumerate() {
            let locations = metadata
                .offset_index()
                .and_then(|index| index.get(g)?.get(c))
                .map_or(&[][..], |column| column.page_locations());
            let mut rest = positive(chunk.compressed_size());
            for (i, page) in locations.iter().enumerate() {
                let next = locations
                    .get(i + 1)
                    .map_or(rows, |next| positive(next.first_row_index));
                let bytes = positive(i64::from(page.compressed_page_size)).min(rest);
                rest -= bytes;
                let start = base.saturating_add(positive(page.first_row_index).min(rows));
                pieces.push(Piece {
                    start,
                    end: base.saturating_add(next.min(rows)).max(start),
                    bytes,
                });
            }
            pieces.push(Piece {
                start: base,
                end: base.saturating_add(rows),
                bytes: rest,
            });
        }
        base = base.saturating_add(rows);
    }
    pieces
}
