//! The pages of one column: found by the page index, read and decompressed one at a time.

use std::cell::RefCell;
use std::ops::Range;

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::ChunkReader;
use zstd::bulk::Decompressor;

use super::delta::PADDING;
use super::header::PageHeader;
use super::{Malformed, PAGE_BYTES_MAX};

/// Why a page could not be read.
#[derive(Debug)]
pub(super) enum PageError {
    /// What was found is not what a writer makes.
    Malformed(Malformed),
    /// The file: its checksums, above all.
    File(ParquetError),
}

impl From<Malformed> for PageError {
    fn from(what: Malformed) -> Self {
        Self::Malformed(what)
    }
}

/// The bytes of a page, not compressed.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// none of a dictionary, and of one that could not be read
    pub(super) rows: Range<usize>,
    /// with [`PADDING`] at their end
    pub(super) bytes: Vec<u8>,
    pub(super) values: usize,
    pub(super) encoding: Option<Encoding>,
}

impl Page {
    /// Of a page with nulls, where the levels lie that say which rows have a value: four bytes give their length. The
    /// values follow them.
    pub(super) fn levels(&self) -> Result<Range<usize>, Malformed> {
        let len = self
            .bytes
            .first_chunk::<4>()
            .map_or(0, |len| u32::from_le_bytes(*len));
        let end = 4 + len as usize;
        match end + PADDING <= self.bytes.len() {
            true => Ok(4..end),
            false => Err("the end of a page"),
        }
    }
}

/// Stands at a page of one column.
#[derive(Debug)]
pub(super) struct Pages<R> {
    file: R,
    footer: ArrowReaderMetadata,
    column: usize,
    /// the row group at hand and its rows
    group: usize,
    group_rows: Range<usize>,
    page: usize,
    page_rows: Range<usize>,
}

impl<R: ChunkReader> Pages<R> {
    /// The pages of a column of a file whose footer has the page index.
    pub(super) fn new(file: R, footer: ArrowReaderMetadata, column: usize) -> Self {
        let first = footer.metadata().row_groups().first();
        let group_rows = 0..first.map_or(0, rows_of);
        Self {
            file,
            footer,
            column,
            group: 0,
            group_rows,
            page: 0,
            page_rows: 0..0,
        }
    }

    /// Goes to the page with a row, which is not before those of the page at hand; gives its rows.
    pub(super) fn seek(&mut self, row: usize) -> Result<Range<usize>, PageError> {
        if self.page_rows.contains(&row) {
            return Ok(self.page_rows.clone());
        }
        let metadata = self.footer.metadata();
        if row < self.group_rows.start {
            return Err("rows out of order".into());
        }
        while row >= self.group_rows.end {
            self.group += 1;
            let group = metadata
                .row_groups()
                .get(self.group)
                .ok_or("the end of the rows")?;
            self.group_rows = self.group_rows.end..self.group_rows.end.saturating_add(rows_of(group));
        }
        let pages = locations(metadata, self.group, self.column)?;
        let first_row = |page: usize| Some(pages.get(page)?.first_row_index.max(0) as usize);
        let wanted = (row - self.group_rows.start) as i64;
        let behind = pages.partition_point(|page| page.first_row_index <= wanted);
        self.page = behind
            .checked_sub(1)
            .ok_or("a page index without the first row")?;
        let start = first_row(self.page).unwrap_or(0);
        let end = first_row(behind).unwrap_or(self.group_rows.len());
        let in_file = |row: usize| self.group_rows.start.saturating_add(row);
        self.page_rows = in_file(start)..in_file(end);
        if self.page_rows.contains(&row) {
            Ok(self.page_rows.clone())
        } else {
            Err("a page index out of order".into())
        }
    }

    /// Whether the page at hand has nulls only.
    pub(super) fn is_null(&self) -> bool {
        self.index().is_some_and(|index| {
            self.page < usize::try_from(index.num_pages()).unwrap_or(0) && index.is_null_page(self.page)
        })
    }

    /// The least and the greatest number of the page at hand, where the page index has them.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        let index = self.index()?;
        if self.page >= usize::try_from(index.num_pages()).ok()? {
            return None;
        }
        match index {
            ColumnIndexMetaData::INT64(index) => {
                Some((*index.min_value(self.page)?, *index.max_value(self.page)?))
            }
            ColumnIndexMetaData::INT32(index) => {
                let (min, max) = (index.min_value(self.page)?, index.max_value(self.page)?);
                Some((i64::from(*min), i64::from(*max)))
            }
            _ => None,
        }
    }

    fn index(&self) -> Option<&ColumnIndexMetaData> {
        let index = self.footer.metadata().column_index()?;
        match index.get(self.group)?.get(self.column)? {
            ColumnIndexMetaData::NONE => None,
            index => Some(index),
        }
    }

    /// Which row group is at hand.
    pub(super) fn group(&self) -> usize {
        self.group
    }

    /// Reads the page at hand, unless `page` is that one already; whether it was read.
    pub(super) fn load(&self, page: &mut Page) -> Result<bool, PageError> {
        if page.rows == self.page_rows {
            return Ok(false);
        }
        let pages = locations(self.footer.metadata(), self.group, self.column)?;
        let location = pages.get(self.page).ok_or("the end of the page index")?;
        let is_dictionary = self.load_at(location.offset, i64::from(location.compressed_page_size), page)?;
        if is_dictionary || page.values != self.page_rows.len() {
            return Err("another page than the index says".into());
        }
        page.rows = self.page_rows.clone();
        Ok(true)
    }

    /// Reads the dictionary of the row group at hand.
    pub(super) fn load_dictionary(&self, page: &mut Page) -> Result<(), PageError> {
        let metadata = self.footer.metadata();
        let chunk = column(metadata, self.group, self.column)?;
        let start = chunk.dictionary_page_offset().ok_or("no dictionary")?;
        let first = locations(metadata, self.group, self.column)?.first();
        let end = first.ok_or("a column without pages")?.offset;
        match self.load_at(start, end.saturating_sub(start), page)? {
            true => Ok(()),
            false => Err("another page than a dictionary".into()),
        }
    }

    /// Reads the page in some bytes of the file; whether it holds a dictionary.
    fn load_at(&self, offset: i64, len: i64, page: &mut Page) -> Result<bool, PageError> {
        page.rows = 0..0;
        let outside = "a page outside of the file";
        let (Ok(offset), Ok(len)) = (u64::try_from(offset), usize::try_from(len)) else {
            return Err(outside.into());
        };
        if offset.saturating_add(len as u64) > self.file.len() {
            return Err(outside.into());
        }
        let raw = self.file.get_bytes(offset, len).map_err(PageError::File)?;
        let header = PageHeader::read(&raw)?;
        let body = raw
            .get(header.len..)
            .and_then(|rest| rest.get(..header.compressed))
            .ok_or(outside)?;
        if header.uncompressed > PAGE_BYTES_MAX {
            return Err("a page of more than 16 MiB".into());
        }
        page.bytes.clear();
        page.bytes.reserve(header.uncompressed + PADDING);
        match column(self.footer.metadata(), self.group, self.column)?.compression() {
            Compression::UNCOMPRESSED => page.bytes.extend_from_slice(body),
            Compression::ZSTD(_) => decompress(body, &mut page.bytes)?,
            _ => return Err("a compression that is not used here".into()),
        }
        if page.bytes.len() != header.uncompressed {
            return Err("a page of another length than it says".into());
        }
        page.bytes.resize(header.uncompressed + PADDING, 0);
        page.values = header.values;
        page.encoding = Some(header.encoding);
        Ok(header.is_dictionary)
    }
}

fn rows_of(group: &RowGroupMetaData) -> usize {
    usize::try_from(group.num_rows()).unwrap_or(0)
}

fn column(
    metadata: &ParquetMetaData,
    group: usize,
    column: usize,
) -> Result<&ColumnChunkMetaData, Malformed> {
    let group = metadata.row_groups().get(group).ok_or("the end of the rows")?;
    group.columns().get(column).ok_or("fewer columns than expected")
}

fn locations(metadata: &ParquetMetaData, group: usize, column: usize) -> Result<&[PageLocation], Malformed> {
    let index = metadata
        .offset_index()
        .and_then(|index| index.get(group)?.get(column));
    Ok(index.ok_or("a file without a page index")?.page_locations())
}

/// Fills an empty vector; what does not fit its capacity is refused.
fn decompress(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    thread_local! {
        // Making one takes longer than a small page.
        static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            None => decompressor.insert(Decompressor::new().map_err(|_| "no memory to decompress")?),
        };
        let written = decompressor.decompress_to_buffer(bytes, out);
        written
            .map(drop)
            .map_err(|_| "bytes that are not compressed with Zstandard")
    })
}
