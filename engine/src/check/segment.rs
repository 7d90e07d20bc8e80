//! One segment: whether its files are what the manifest says, and whether what they say holds together.

use std::sync::Arc;

use bytes::Bytes;

use super::finding::FileFindings;
use super::row::{Batch, Batches, check_row};
use super::store::Part;
use crate::index::{Head, StorageKey};
use crate::memtable::WINDOW_MS;
use crate::segment::{DAY_MS, IndexWalk, SegmentMeta, SeriesEntry, SeriesWalk, Walk};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// What becomes of a segment whose checksum is wrong.
const SET_ASIDE: &str = "the next start moves the segment to quarantine/ and goes on without its samples; restore its files from a backup before that, if there is one";

/// Bytes that are as they were written, and wrong all the same.
pub(super) const WRITTEN_SO: &str =
    "the checksum is right, so it was written so: keep the segment and report a bug of Barograph";

/// What becomes of an index.
const MADE_AGAIN: &str = "the next start makes it again from the segment's other files, and loses nothing";

/// Looks at all files of a segment. `head` knows which id a label set has.
pub(super) fn check(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta, head: &Head) -> Part {
    let mut part = Part::default();
    part.checked.segments = 1;
    let (samples_path, series_path) = (meta.samples_path(), meta.series_path());
    let mut samples = FileFindings::new(&samples_path);
    let mut series = FileFindings::new(&series_path);
    let mut index = FileFindings::new(meta.sidecar_path());
    let samples_bytes = read(vfs, &samples_path, meta.samples_bytes, &mut samples);
    let series_bytes = read(vfs, &series_path, meta.series_bytes, &mut series);
    let opened = vfs
        .read(&meta.sidecar_path())
        .map_err(EngineError::io("read", meta.sidecar_path()))
        .and_then(|bytes| {
            part.checked.bytes += bytes.len() as u64;
            IndexWalk::open(meta, &bytes)
        });
    let opened = opened.inspect_err(|error| index.error(error, MADE_AGAIN)).ok();
    if let (Some(samples_bytes), Some(series_bytes)) = (samples_bytes, series_bytes) {
        part.checked.bytes += (samples_bytes.len() + series_bytes.len()) as u64;
        let blocks = opened
            .as_ref()
            .map(|index| index.first_damage(&samples_bytes, &series_bytes));
        let [in_samples, in_series] = blocks.unwrap_or_default();
        let is_whole = checksum(&samples_bytes, meta.samples_crc32c, in_samples, &mut samples)
            & checksum(&series_bytes, meta.series_crc32c, in_series, &mut series);
        if is_whole {
            let files = Files {
                samples: &mut samples,
                series: &mut series,
                index: &mut index,
            };
            let mut rows = Rows::new(meta, head, opened, files);
            // An error has been put among the findings of its file.
            let _ = rows.walk(samples_bytes, series_bytes);
            (part.checked.segment_rows, part.checked.segment_series) = (rows.row, rows.series_seen);
        }
    }
    part.take(samples);
    part.take(series);
    part.take(index);
    part
}

/// A file's bytes, where they are there and as many as the manifest says.
fn read(vfs: &Arc<dyn Vfs>, path: &str, len: u64, findings: &mut FileFindings) -> Option<Bytes> {
    match vfs.read(path) {
        Ok(bytes) if bytes.len() as u64 == len => Some(bytes),
        Ok(bytes) => {
            let what = format!("{} bytes long, the manifest says {len}", bytes.len());
            findings.damage(what, SET_ASIDE);
            None
        }
        Err(error) => {
            findings.damage(format!("cannot read it: {error}"), SET_ASIDE);
            None
        }
    }
}

/// Whether a file has the checksum that the manifest says. `first_damage` is where its blocks begin to differ.
fn checksum(bytes: &[u8], expected: u32, first_damage: Option<u64>, findings: &mut FileFindings) -> bool {
    let found = crc32c::crc32c(bytes);
    if found == expected {
        return true;
    }
    let what = format!("CRC-32C is {found:08x}, the manifest says {expected:08x}");
    match first_damage {
        Some(offset) => {
            let what = format!("{what}; the first difference is in the 256 KiB from here");
            findings.damage_at(offset, what, SET_ASIDE);
        }
        None => findings.damage(what, SET_ASIDE),
    }
    false
}

/// Where to put what is found.
struct Files<'a> {
    samples: &'a mut FileFindings,
    series: &'a mut FileFindings,
    index: &'a mut FileFindings,
}

/// Walks over the rows of both files together.
struct Rows<'a> {
    meta: &'a SegmentMeta,
    head: &'a Head,
    index: Option<IndexWalk>,
    found: Files<'a>,
    /// rows of the samples file so far
    row: u64,
    series_seen: u64,
    /// ids of all series so far
    ids: Vec<i64>,
    ts_min: i64,
    ts_max: i64,
    current: Option<Current>,
    /// the series before, for the order
    before: Option<SeriesEntry>,
}

/// The series whose rows are being walked over.
pub(super) struct Current {
    pub(super) entry: SeriesEntry,
    left: u64,
    /// the earliest instant so far
    pub(super) first_ts: Option<i64>,
    /// the latest instant so far
    pub(super) last_ts: i64,
    /// what rows are ordered by, of the one before
    pub(super) last_key: i64,
}

impl<'a> Rows<'a> {
    fn new(meta: &'a SegmentMeta, head: &'a Head, index: Option<IndexWalk>, found: Files<'a>) -> Self {
        Self {
            meta,
            head,
            index,
            found,
            row: 0,
            series_seen: 0,
            ids: Vec::new(),
            ts_min: i64::MAX,
            ts_max: i64::MIN,
            current: None,
            before: None,
        }
    }

    fn walk(&mut self, samples_bytes: Bytes, series_bytes: Bytes) -> Result<()> {
        let opened = Walk::open(&self.meta.series_path(), series_bytes).and_then(|walk| walk.series());
        let mut entries = Entries {
            walk: opened.inspect_err(|error| self.found.series.error(error, WRITTEN_SO))?,
            batch: Vec::new().into_iter(),
        };
        let opened = Walk::open(&self.meta.samples_path(), samples_bytes)
            .and_then(|walk| Batches::open(&walk, self.meta.kind));
        let mut batches = opened.inspect_err(|error| self.found.samples.error(error, WRITTEN_SO))?;
        while let Some(batch) = batches
            .next()
            .inspect_err(|error| self.found.samples.error(error, WRITTEN_SO))?
        {
            self.batch(&batch, &mut entries)?;
        }
        if self.current.as_ref().is_some_and(|current| current.left > 0) || self.next_series(&mut entries)? {
            let what = format!("it promises more rows than the {} of the samples file", self.row);
            self.found.series.damage(what, WRITTEN_SO);
        }
        self.finish();
        Ok(())
    }

    fn batch(&mut self, batch: &Batch, entries: &mut Entries) -> Result<()> {
        let len = batch.len();
        let mut i = 0;
        while i < len {
            if self.current.as_ref().is_none_or(|current| current.left == 0) && !self.next_series(entries)? {
                let what = format!("row {} and those behind it belong to no series", self.row);
                self.found.samples.damage(what, WRITTEN_SO);
                self.row += (len - i) as u64;
                return Ok(());
            }
            let Some(current) = &mut self.current else {
                return Ok(()); // there is one: see above
            };
            let rows = current.left.min((len - i) as u64);
            for i in i..i + rows as usize {
                check_row(current, batch, i, self.row, self.meta, self.found.samples);
                self.row += 1;
            }
            current.left -= rows;
            i += rows as usize;
        }
        Ok(())
    }

    /// Ends the current series and begins the next; false behind the last.
    fn next_series(&mut self, entries: &mut Entries) -> Result<bool> {
        self.end_series();
        let next = entries
            .next()
            .inspect_err(|error| self.found.series.error(error, WRITTEN_SO))?;
        let Some(entry) = next else {
            return Ok(false);
        };
        let place = self.series_seen;
        self.series_seen += 1;
        self.ids.push(entry.id.0);
        let mut wrong = |what: String| {
            self.found
                .series
                .damage(format!("row {place}: {what}"), WRITTEN_SO)
        };
        if entry.first_row as u64 != self.row || entry.rows <= 0 {
            wrong(format!(
                "rows {}+{} after row {}",
                entry.first_row, entry.rows, self.row
            ));
        }
        if entry.metric != entry.labels.metric() {
            wrong(format!("metric {:?} of {}", entry.metric, entry.labels));
        }
        if let Some(before) = &self.before
            && (StorageKey::of(&before.labels), before.id) >= (StorageKey::of(&entry.labels), entry.id)
        {
            wrong(format!("{} stands behind {}", entry.labels, before.labels));
        }
        if self.head.id_of(&entry.labels) != entry.id {
            let expected = self.head.id_of(&entry.labels);
            wrong(format!(
                "{} has id {}, and should have {expected}",
                entry.labels, entry.id
            ));
        }
        if let Some(index) = &self.index
            && place < self.meta.series
        {
            let (id, rows, key) = index.entry(place as u32);
            let end = (entry.first_row as usize).saturating_add(entry.rows as usize);
            let is_same = (id, key) == (entry.id, StorageKey::of(&entry.labels));
            if !is_same || rows != (entry.first_row as usize..end) {
                let what =
                    format!("place {place}: series {id} with rows {rows:?}, the series file says otherwise");
                self.found.index.damage(what, WRITTEN_SO);
            }
        }
        self.before = Some(entry.clone());
        self.current = Some(Current {
            left: u64::try_from(entry.rows).unwrap_or(0),
            entry,
            first_ts: None,
            last_ts: i64::MIN,
            last_key: i64::MIN,
        });
        Ok(true)
    }

    /// Holds what was seen of a series against what its row in the series file says.
    fn end_series(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let Some(first_ts) = current.first_ts else {
            return; // without rows, which was reported when it began
        };
        self.ts_min = self.ts_min.min(first_ts);
        self.ts_max = self.ts_max.max(current.last_ts);
        let entry = current.entry;
        if (entry.ts_min, entry.ts_max) != (first_ts, current.last_ts) {
            let what = format!(
                "series {}: instants {} to {}, the samples say {first_ts} to {}",
                entry.id, entry.ts_min, entry.ts_max, current.last_ts
            );
            self.found.series.damage(what, WRITTEN_SO);
        }
    }

    /// Holds the sums against what the manifest says.
    fn finish(&mut self) {
        self.end_series();
        let meta = self.meta;
        if self.row != meta.rows {
            let what = format!("{} rows, the manifest says {}", self.row, meta.rows);
            self.found.samples.damage(what, WRITTEN_SO);
        }
        if self.series_seen != meta.series {
            let what = format!("{} series, the manifest says {}", self.series_seen, meta.series);
            self.found.series.damage(what, WRITTEN_SO);
        }
        if (self.ts_min, self.ts_max) != (meta.ts_min, meta.ts_max) {
            let what = format!(
                "instants {} to {}, the manifest says {} to {}",
                self.ts_min, self.ts_max, meta.ts_min, meta.ts_max
            );
            self.found.samples.damage(what, WRITTEN_SO);
        }
        let width = if meta.level >= 2 { DAY_MS } else { WINDOW_MS };
        let window_end = meta.window.saturating_add(width);
        if self.row > 0 && (self.ts_min < meta.window || self.ts_max >= window_end) {
            let what = format!(
                "instants {} to {} are not all in the window from {} to {window_end}",
                self.ts_min, self.ts_max, meta.window
            );
            self.found.samples.damage(what, WRITTEN_SO);
        }
        self.ids.sort_unstable();
        for twice in self.ids.windows(2).filter(|pair| pair[0] == pair[1]) {
            self.found
                .series
                .damage(format!("series id {} is there twice", twice[0]), WRITTEN_SO);
        }
    }
}

/// The series file, one row after the other.
struct Entries {
    walk: SeriesWalk,
    batch: std::vec::IntoIter<SeriesEntry>,
}

impl Entries {
    fn next(&mut self) -> Result<Option<SeriesEntry>> {
        loop {
            if let Some(entry) = self.batch.next() {
                return Ok(Some(entry));
            }
            match self.walk.next()? {
                Some(batch) => self.batch = batch.into_iter(),
                None => return Ok(None),
            }
        }
    }
}
