//! A sidecar that was opened: everything is answered from the mapped bytes.

use std::path::PathBuf;

use barograph_model::{MatchOp, Matcher, SeriesId};
use bytes::Bytes;
use fst::{IntoStreamer, Map, Streamer};
use roaring::RoaringBitmap;

use super::header::{BLOCK_BYTES, BLOCKS, GROUPS, Header, IDS, LABELS, POSTINGS, ROWS, STARTS};
use super::{SEPARATOR, postings};
use crate::index::StorageKey;
use crate::segment::SegmentMeta;
use crate::{EngineError, Result};

/// Groups that are walked over on the way to a wanted one.
const GROUPS_WALKED: usize = 16;

/// An open sidecar. Memory: a few words; the rest is the mapped file.
#[derive(Debug)]
pub(in crate::segment) struct Sidecar {
    path: String,
    pub(super) header: Header,
    ids: Bytes,
    rows: Bytes,
    pub(super) groups: Map<Bytes>,
    starts: Bytes,
    pub(super) labels: Map<Bytes>,
    postings: Bytes,
    blocks: Bytes,
}

impl Sidecar {
    /// Checks all of it against its checksums, and that it belongs to the segment.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`]: it is to be made again.
    pub(in crate::segment) fn open(meta: &SegmentMeta, bytes: &Bytes) -> Result<Self> {
        let path = meta.sidecar_path();
        let corrupt = |offset: u64, expected: String, found: String| EngineError::Corrupt {
            path: PathBuf::from(&path),
            offset,
            expected,
            found,
        };
        let header = Header::decode(bytes).map_err(|(expected, found)| corrupt(0, expected, found))?;
        let section = |i: usize| {
            let section = header.sections[i];
            let bytes = bytes.slice(section.offset as usize..(section.offset + section.length) as usize);
            let found = crc32c::crc32c(&bytes);
            if found == section.crc32c {
                return Ok(bytes);
            }
            let expected = format!("CRC-32C {:08x} of section {i}", section.crc32c);
            Err(corrupt(section.offset, expected, format!("{found:08x}")))
        };
        let map = |i: usize| {
            Map::new(section(i)?).map_err(|e| {
                corrupt(
                    header.sections[i].offset,
                    "a finite state transducer".to_owned(),
                    e.to_string(),
                )
            })
        };
        let sidecar = Self {
            ids: section(IDS)?,
            rows: section(ROWS)?,
            groups: map(GROUPS)?,
            starts: section(STARTS)?,
            labels: map(LABELS)?,
            postings: section(POSTINGS)?,
            blocks: section(BLOCKS)?,
            header,
            path: path.clone(),
        };
        let of_segment = Header {
            version: header.version,
            series: meta.series,
            rows: meta.rows,
            samples_bytes: meta.samples_bytes,
            samples_crc32c: meta.samples_crc32c,
            series_crc32c: meta.series_crc32c,
            series_bytes: meta.series_bytes,
            sections: header.sections,
        };
        if header != of_segment {
            return Err(corrupt(16, format!("{of_segment:?}"), format!("{header:?}")));
        }
        sidecar
            .check_tables()
            .map_err(|what| corrupt(0, what.to_owned(), "others".to_owned()))?;
        Ok(sidecar)
    }

    /// The segment that a sidecar says it belongs to, as far as it says.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for a damaged header.
    pub(in crate::segment) fn described(path: &str, bytes: &[u8]) -> Result<SegmentMeta> {
        let header = Header::decode(bytes).map_err(|(expected, found)| EngineError::Corrupt {
            path: PathBuf::from(path),
            offset: 0,
            expected,
            found,
        })?;
        Ok(SegmentMeta {
            name: path.strip_suffix(".index").unwrap_or(path).to_owned(),
            series: header.series,
            rows: header.rows,
            samples_bytes: header.samples_bytes,
            samples_crc32c: header.samples_crc32c,
            series_bytes: header.series_bytes,
            series_crc32c: header.series_crc32c,
            sidecar_bytes: bytes.len() as u64,
            ..SegmentMeta::default()
        })
    }

    /// Its file.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Series, rows, groups, and pairs of a label and a value.
    pub(in crate::segment) fn counts(&self) -> (u64, u64, u64, u64) {
        let (groups, labels) = (self.groups.len() as u64, self.labels.len() as u64);
        (self.header.series, self.header.rows, groups, labels)
    }

    /// The sections by their names, with their bytes.
    pub(in crate::segment) fn sections(&self) -> Vec<(&'static str, u64)> {
        let names = ["ids", "rows", "groups", "starts", "labels", "postings", "blocks"];
        names
            .into_iter()
            .zip(self.header.sections.map(|s| s.length))
            .collect()
    }

    fn check_tables(&self) -> std::result::Result<(), &'static str> {
        let series = self.header.series as usize;
        let blocks = |bytes: u64| bytes.div_ceil(BLOCK_BYTES as u64) as usize;
        let summed = blocks(self.header.samples_bytes) + blocks(self.header.series_bytes);
        if !self.ids.len().is_multiple_of(8) || self.ids.len() / 8 != series {
            return Err("an id for each series");
        }
        if !self.rows.len().is_multiple_of(4) || self.rows.len() / 4 != series.saturating_add(1) {
            return Err("a first row for each series");
        }
        if !self.starts.len().is_multiple_of(4)
            || self.starts.len() / 4 != self.groups.len().saturating_add(1)
        {
            return Err("a first place for each group");
        }
        if self.blocks.len() != summed * 4 {
            return Err("a checksum for each block");
        }
        if !ascend_to(&self.rows, self.header.rows) {
            return Err("first rows that ascend to the number of rows");
        }
        if !ascend_to(&self.starts, self.header.series) {
            return Err("first places that ascend to the number of series");
        }
        Ok(())
    }

    /// How many groups.
    pub(in crate::segment) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The id of a place below [`Sidecar::series`].
    pub(in crate::segment) fn id(&self, place: u32) -> SeriesId {
        let at = place as usize * 8;
        let mut word = [0; 8];
        word.copy_from_slice(&self.ids[at..at + 8]);
        SeriesId(i64::from_le_bytes(word))
    }

    /// The rows of a place below [`Sidecar::series`].
    pub(in crate::segment) fn rows(&self, place: u32) -> std::ops::Range<usize> {
        number(&self.rows, place as usize) as usize..number(&self.rows, place as usize + 1) as usize
    }

    /// The places of a group below [`Sidecar::groups`].
    pub(in crate::segment) fn places(&self, group: usize) -> std::ops::Range<u32> {
        number(&self.starts, group)..number(&self.starts, group + 1)
    }

    /// The group of a place below [`Sidecar::series`]. O(log n).
    pub(in crate::segment) fn group_of(&self, place: u32) -> usize {
        let (mut low, mut high) = (0, self.groups());
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if number(&self.starts, middle) <= place {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The group with a key.
    pub(in crate::segment) fn find_group(&self, key: &StorageKey) -> Option<usize> {
        let group = self.groups.get(key.as_bytes())? as usize;
        (group < self.groups()).then_some(group)
    }

    /// The key of a group.
    pub(in crate::segment) fn group_key(&self, group: usize) -> StorageKey {
        // Numbers ascend with the keys, which is what looking up by value asks of a transducer.
        StorageKey::from_bytes(self.groups.as_fst().get_key(group as u64).unwrap_or_default())
    }

    /// The keys of some groups, given ascending. Those that lie close to each other are walked over, which takes a
    /// fraction of looking each of them up.
    pub(in crate::segment) fn group_keys(&self, groups: &[usize]) -> Vec<StorageKey> {
        let mut keys = Vec::with_capacity(groups.len());
        for run in groups.chunk_by(|a, b| b.saturating_sub(*a) <= GROUPS_WALKED) {
            let first = self.group_key(run[0]);
            let mut stream = self.groups.range().ge(first.as_bytes()).into_stream();
            let from = keys.len();
            keys.push(first);
            let walk = &run[1..];
            while let Some(wanted) = walk.get(keys.len() - from - 1)
                && let Some((key, group)) = stream.next()
            {
                if group == *wanted as u64 {
                    keys.push(StorageKey::from_bytes(key.to_vec()));
                }
            }
            // None is left, unless the index is not what it should be.
            let missed = &run[keys.len() - from..];
            keys.extend(missed.iter().map(|group| self.group_key(*group)));
        }
        keys
    }

    /// Calls `f` with the key of every group, in order.
    pub(in crate::segment) fn for_each_group(&self, mut f: impl FnMut(&[u8], usize)) {
        let mut stream = self.groups.stream();
        while let Some((key, group)) = stream.next() {
            f(key, group as usize);
        }
    }

    /// The place of a series, by its group and id. O(log n).
    pub(in crate::segment) fn find(&self, group: usize, id: SeriesId) -> Option<u32> {
        let std::ops::Range {
            start: mut low,
            end: mut high,
        } = self.places(group);
        while low < high {
            let middle = u32::midpoint(low, high);
            match self.id(middle).cmp(&id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The places that pass every matcher.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for postings that cannot be read.
    pub(in crate::segment) fn select(&self, matchers: &[Matcher]) -> Result<RoaringBitmap> {
        let mut ordered: Vec<&Matcher> = matchers.iter().collect();
        ordered.sort_by_key(|m| (m.matches_absent(), m.op() != MatchOp::Equal));
        let mut selected = RoaringBitmap::new();
        selected.insert_range(0..self.header.series as u32);
        for matcher in ordered {
            if selected.is_empty() {
                break;
            }
            if matcher.matches_absent() {
                // Everything but the series that have a refused value.
                self.for_each_value(matcher.name(), |value, postings| {
                    if !matcher.matches(value) {
                        selected -= self.postings(postings)?;
                    }
                    Ok(())
                })?;
            } else if matcher.op() == MatchOp::Equal {
                match self.labels.get(key(matcher.name(), matcher.value())) {
                    Some(postings) => selected &= self.postings(postings)?,
                    None => return Ok(RoaringBitmap::new()),
                }
            } else if let Some(values) = matcher.alternatives() {
                let mut found = RoaringBitmap::new();
                for value in values {
                    if let Some(postings) = self.labels.get(key(matcher.name(), value)) {
                        found |= self.postings(postings)?;
                    }
                }
                selected &= found;
            } else {
                let mut found = RoaringBitmap::new();
                self.for_each_value(matcher.name(), |value, postings| {
                    if matcher.matches(value) {
                        found |= self.postings(postings)?;
                    }
                    Ok(())
                })?;
                selected &= found;
            }
        }
        Ok(selected)
    }

    /// Calls `f` with every value of a label that one of some places has, in order.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for postings that cannot be read.
    pub(in crate::segment) fn label_values(
        &self,
        name: &str,
        among: &RoaringBitmap,
        mut f: impl FnMut(&str),
    ) -> Result<()> {
        let all = among.len() == self.header.series;
        self.for_each_value(name, |value, postings| {
            if all || !self.postings(postings)?.is_disjoint(among) {
                f(value);
            }
            Ok(())
        })
    }

    /// Calls `f` with every name of a label that one of some places has, each once.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for postings that cannot be read.
    pub(in crate::segment) fn label_names(
        &self,
        among: &RoaringBitmap,
        mut f: impl FnMut(&str),
    ) -> Result<()> {
        let all = among.len() == self.header.series;
        let (mut next, mut name) = (Vec::new(), String::new());
        // From the first value of a name straight to the first of the next.
        while let Some((key, _)) = self.labels.range().ge(&next).into_stream().next() {
            let end = key.iter().position(|b| *b == SEPARATOR).unwrap_or(key.len());
            name.clear();
            name.push_str(&String::from_utf8_lossy(&key[..end]));
            next.clear();
            next.extend_from_slice(&key[..end]);
            next.extend_from_slice(&[SEPARATOR, SEPARATOR]);
            if all || self.is_used(&name, among)? {
                f(&name);
            }
        }
        Ok(())
    }

    /// The checksums of the samples file's blocks, then those of the series file's.
    pub(in crate::segment) fn block_sums(&self) -> (Vec<u32>, Vec<u32>) {
        let samples = self.header.samples_bytes.div_ceil(BLOCK_BYTES as u64) as usize;
        let all: Vec<u32> = (0..self.blocks.len() / 4)
            .map(|i| number(&self.blocks, i))
            .collect();
        let (samples, series) = all.split_at(samples);
        (samples.to_vec(), series.to_vec())
    }

    /// Whether one of some places has a label. Mostly the first value says so, of however many.
    fn is_used(&self, name: &str, among: &RoaringBitmap) -> Result<bool> {
        let (from, to) = values_of(name);
        let mut stream = self.labels.range().ge(&from).lt(&to).into_stream();
        while let Some((_, postings)) = stream.next() {
            if !self.postings(postings)?.is_disjoint(among) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn for_each_value(&self, name: &str, mut f: impl FnMut(&str, u64) -> Result<()>) -> Result<()> {
        let (from, to) = values_of(name);
        let mut stream = self.labels.range().ge(&from).lt(&to).into_stream();
        while let Some((key, postings)) = stream.next() {
            // Only text was put in, and the checksum holds.
            f(
                std::str::from_utf8(&key[from.len()..]).unwrap_or_default(),
                postings,
            )?;
        }
        Ok(())
    }

    pub(super) fn postings(&self, value: u64) -> Result<RoaringBitmap> {
        if value.is_multiple_of(2) {
            return Ok(RoaringBitmap::from_iter([(value / 2) as u32]));
        }
        let offset = (value / 2) as usize;
        let bytes = self.postings.get(offset..).unwrap_or_default();
        let read = match self.header.version {
            1 => RoaringBitmap::deserialize_from(bytes),
            _ => postings::read(bytes),
        };
        read.map_err(|e| EngineError::Corrupt {
            path: PathBuf::from(&self.path),
            offset: self.header.sections[POSTINGS].offset + offset as u64,
            expected: "a set of places".to_owned(),
            found: e.to_string(),
        })
    }
}

/// From which key on and before which one the values of a label stand.
fn values_of(name: &str) -> (Vec<u8>, Vec<u8>) {
    (key(name, ""), [name.as_bytes(), &[SEPARATOR, SEPARATOR]].concat())
}

fn key(name: &str, value: &str) -> Vec<u8> {
    [name.as_bytes(), &[SEPARATOR], value.as_bytes()].concat()
}

/// Whether the numbers of an array ascend, and the last of them is this.
fn ascend_to(array: &Bytes, last: u64) -> bool {
    let numbers = || (0..array.len() / 4).map(|i| number(array, i));
    numbers().is_sorted() && numbers().last().map(u64::from) == Some(last)
}

/// The i-th number of an array.
fn number(array: &Bytes, i: usize) -> u32 {
    let at = i * 4;
    u32::from_le_bytes([array[at], array[at + 1], array[at + 2], array[at + 3]])
}
