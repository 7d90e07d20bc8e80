//! One segment: whether its files are what the manifest says, and whether what they say holds together.

use std::cmp::Ordering;
use std::sync::Arc;

use barograph_model::is_stale;
use bytes::Bytes;

use super::finding::FileFindings;
use super::store::Part;
use crate::Result;
use crate::memtable::WINDOW_MS;
use crate::segment::{FLAG_STALE, POW10, SamplesBatch, SegmentMeta, SeriesEntry, SeriesWalk, Walk};
use crate::vfs::Vfs;

/// What becomes of a segment whose checksum is wrong.
const SET_ASIDE: &str = "the next start moves the segment to quarantine/ and goes on without its samples; restore its files from a backup before that, if there is one";

/// Bytes that are as they were written, and wrong all the same.
const WRITTEN_SO: &str =
    "the checksum is right, so it was written so: keep the segment and report a bug of Barograph";

/// Whole numbers are exact in a double up to here.
const MANTISSA_MAX: u64 = 1 << 53;

/// Looks at both files of a segment.
pub(super) fn check(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta) -> Part {
    let mut part = Part::default();
    part.checked.segments = 1;
    let mut samples = FileFindings::new(meta.samples_path());
    let mut series = FileFindings::new(meta.series_path());
    let read = |path: &str, bytes: u64, crc32c: u32, into: &mut FileFindings| {
        checked_bytes(vfs, path, bytes, crc32c, into)
    };
    let samples_bytes = read(
        &meta.samples_path(),
        meta.samples_bytes,
        meta.samples_crc32c,
        &mut samples,
    );
    let series_bytes = read(
        &meta.series_path(),
        meta.series_bytes,
        meta.series_crc32c,
        &mut series,
    );
    part.checked.bytes = [&samples_bytes, &series_bytes]
        .iter()
        .filter_map(|bytes| bytes.as_ref().map(|b| b.len() as u64))
        .sum();
    if let (Some(samples_bytes), Some(series_bytes)) = (samples_bytes, series_bytes)
        && !samples.is_damaged()
        && !series.is_damaged()
    {
        let mut rows = Rows::new(meta, &mut samples, &mut series);
        // An error has been put among the findings of its file.
        let _ = rows.walk(samples_bytes, series_bytes);
        (part.checked.segment_rows, part.checked.segment_series) = (rows.row, rows.series_seen);
    }
    part.take(samples);
    part.take(series);
    part
}

/// A file's bytes, where they are there. Length and checksum are held against the manifest.
fn checked_bytes(
    vfs: &Arc<dyn Vfs>,
    path: &str,
    len: u64,
    crc32c: u32,
    findings: &mut FileFindings,
) -> Option<Bytes> {
    let bytes = match vfs.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            findings.damage(format!("cannot read it: {error}"), SET_ASIDE);
            return None;
        }
    };
    if bytes.len() as u64 != len {
        let what = format!("{} bytes long, the manifest says {len}", bytes.len());
        findings.damage(what, SET_ASIDE);
        return Some(bytes);
    }
    let found = crc32c::crc32c(&bytes);
    if found != crc32c {
        let what = format!("CRC-32C is {found:08x}, the manifest says {crc32c:08x}");
        findings.damage(what, SET_ASIDE);
    }
    Some(bytes)
}

/// Walks over the rows of both files together.
struct Rows<'a> {
    meta: &'a SegmentMeta,
    samples: &'a mut FileFindings,
    series: &'a mut FileFindings,
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
struct Current {
    entry: SeriesEntry,
    left: u64,
    first_ts: Option<i64>,
    last_ts: i64,
}

impl<'a> Rows<'a> {
    fn new(meta: &'a SegmentMeta, samples: &'a mut FileFindings, series: &'a mut FileFindings) -> Self {
        Self {
            meta,
            samples,
            series,
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
            walk: opened.inspect_err(|error| self.series.error(error, WRITTEN_SO))?,
            batch: Vec::new().into_iter(),
        };
        let opened = Walk::open(&self.meta.samples_path(), samples_bytes).and_then(|walk| walk.samples());
        let mut samples = opened.inspect_err(|error| self.samples.error(error, WRITTEN_SO))?;
        while let Some(batch) = samples
            .next()
            .inspect_err(|error| self.samples.error(error, WRITTEN_SO))?
        {
            self.batch(&batch, &mut entries)?;
        }
        if self.current.as_ref().is_some_and(|current| current.left > 0) || self.next_series(&mut entries)? {
            let what = format!("it promises more rows than the {} of the samples file", self.row);
            self.series.damage(what, WRITTEN_SO);
        }
        self.finish();
        Ok(())
    }

    fn batch(&mut self, batch: &SamplesBatch, entries: &mut Entries) -> Result<()> {
        let mut i = 0;
        while i < batch.ts.len() {
            if self.current.as_ref().is_none_or(|current| current.left == 0) && !self.next_series(entries)? {
                let what = format!("row {} and those behind it belong to no series", self.row);
                self.samples.damage(what, WRITTEN_SO);
                self.row += (batch.ts.len() - i) as u64;
                return Ok(());
            }
            let Some(current) = &mut self.current else {
                return Ok(()); // there is one: see above
            };
            let rows = current.left.min((batch.ts.len() - i) as u64);
            for i in i..i + rows as usize {
                check_row(current, batch, i, self.row, self.samples);
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
            .inspect_err(|error| self.series.error(error, WRITTEN_SO))?;
        let Some(entry) = next else {
            return Ok(false);
        };
        let place = self.series_seen;
        self.series_seen += 1;
        self.ids.push(entry.id.0);
        let mut wrong = |what: String| self.series.damage(format!("row {place}: {what}"), WRITTEN_SO);
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
            && storage_order(before, &entry) != Ordering::Less
        {
            wrong(format!("{} stands behind {}", entry.labels, before.labels));
        }
        self.before = Some(entry.clone());
        self.current = Some(Current {
            left: u64::try_from(entry.rows).unwrap_or(0),
            entry,
            first_ts: None,
            last_ts: i64::MIN,
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
            self.series.damage(what, WRITTEN_SO);
        }
    }

    /// Holds the sums against what the manifest says.
    fn finish(&mut self) {
        self.end_series();
        let meta = self.meta;
        if self.row != meta.rows {
            let what = format!("{} rows, the manifest says {}", self.row, meta.rows);
            self.samples.damage(what, WRITTEN_SO);
        }
        if self.series_seen != meta.series {
            let what = format!("{} series, the manifest says {}", self.series_seen, meta.series);
            self.series.damage(what, WRITTEN_SO);
        }
        if (self.ts_min, self.ts_max) != (meta.ts_min, meta.ts_max) {
            let what = format!(
                "instants {} to {}, the manifest says {} to {}",
                self.ts_min, self.ts_max, meta.ts_min, meta.ts_max
            );
            self.samples.damage(what, WRITTEN_SO);
        }
        let window_end = meta.window.saturating_add(WINDOW_MS);
        if self.row > 0 && (self.ts_min < meta.window || self.ts_max >= window_end) {
            let what = format!(
                "instants {} to {} are not all in the window from {} to {window_end}",
                self.ts_min, self.ts_max, meta.window
            );
            self.samples.damage(what, WRITTEN_SO);
        }
        self.ids.sort_unstable();
        for twice in self.ids.windows(2).filter(|pair| pair[0] == pair[1]) {
            self.series
                .damage(format!("series id {} is there twice", twice[0]), WRITTEN_SO);
        }
    }
}

/// One row of the samples file.
fn check_row(current: &mut Current, batch: &SamplesBatch, i: usize, row: u64, findings: &mut FileFindings) {
    let (id, ts) = (batch.ids.value(i), batch.ts.value(i));
    if id != current.entry.id.0 {
        let what = format!(
            "row {row} is of series {id}, the series file says {}",
            current.entry.id
        );
        findings.damage(what, WRITTEN_SO);
    }
    if current.first_ts.is_some() && ts <= current.last_ts {
        let what = format!("row {row} of series {id}: instant {ts} after {}", current.last_ts);
        findings.damage(what, WRITTEN_SO);
    }
    current.first_ts.get_or_insert(ts);
    current.last_ts = ts;
    let exponent = batch.exponents.value(i);
    if usize::try_from(exponent).map_or(true, |e| e >= POW10.len()) {
        let what = format!(
            "row {row} of series {id}: exponent {exponent} is not of 0 to {}",
            POW10.len() - 1
        );
        findings.damage(what, WRITTEN_SO);
    }
    let mantissa = batch.mantissas.value(i);
    if mantissa.unsigned_abs() > MANTISSA_MAX {
        let what = format!("row {row} of series {id}: mantissa {mantissa} is not exact in a double");
        findings.damage(what, WRITTEN_SO);
    }
    let float = (!arrow::array::Array::is_null(&batch.floats, i)).then(|| batch.floats.value(i));
    let flags = if float.is_some_and(is_stale) {
        FLAG_STALE
    } else {
        0
    };
    if batch.flags.value(i) != flags {
        let what = format!(
            "row {row} of series {id}: flags {} of a value that has {flags}",
            batch.flags.value(i)
        );
        findings.damage(what, WRITTEN_SO);
    }
}

/// The order of series on disk: by metric, job, instance, id.
fn storage_order(a: &SeriesEntry, b: &SeriesEntry) -> Ordering {
    let key = |label: &str| a.labels.get(label).cmp(b.labels.get(label));
    a.labels
        .metric()
        .cmp(b.labels.metric())
        .then_with(|| key("job"))
        .then_with(|| key("instance"))
        .then_with(|| a.id.cmp(&b.id))
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
