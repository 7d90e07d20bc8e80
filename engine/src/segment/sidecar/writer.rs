//! Makes a sidecar from the rows of a series file.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::sync::Arc;

use fst::MapBuilder;
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::header::{
    BLOCKS, GROUPS, HEADER_BYTES, Header, IDS, LABELS, POSTINGS, ROWS, SECTIONS, STARTS, Section, VERSION,
};
use super::{SEPARATOR, postings};
use crate::index::StorageKey;
use crate::segment::SegmentMeta;
use crate::segment::series_file::SeriesRow;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Checksums of the blocks of both Parquet files.
pub(in crate::segment) struct FileSums<'a> {
    pub(in crate::segment) samples: &'a [u32],
    pub(in crate::segment) series: &'a [u32],
}

/// What a sidecar says of series: all of it but the checksums of the files.
pub(in crate::segment) struct SeriesIndex {
    /// the last of them empty
    sections: [Vec<u8>; SECTIONS],
    series: u64,
}

impl SeriesIndex {
    /// The index of the rows of a series file, in its order; the same rows give the same bytes.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] where they are not in storage order, or too many.
    pub(in crate::segment) fn of(meta: &SegmentMeta, rows: &[SeriesRow]) -> Result<Self> {
        Self::encode(meta, rows).map_err(|found| EngineError::Corrupt {
            path: PathBuf::from(meta.sidecar_path()),
            offset: 0,
            expected: "series in storage order".to_owned(),
            found,
        })
    }

    fn encode(meta: &SegmentMeta, rows: &[SeriesRow]) -> std::result::Result<Self, String> {
        let mut sections: [Vec<u8>; SECTIONS] = Default::default();
        for row in rows {
            sections[IDS].extend_from_slice(&row.id.0.to_le_bytes());
            sections[ROWS].extend_from_slice(&narrow(row.first_row)?.to_le_bytes());
        }
        sections[ROWS].extend_from_slice(&narrow(meta.rows)?.to_le_bytes());
        (sections[GROUPS], sections[STARTS]) = groups(rows)?;
        (sections[LABELS], sections[POSTINGS]) = labels(rows)?;
        Ok(Self {
            sections,
            series: rows.len() as u64,
        })
    }
}

/// Writes and syncs the sidecar of a segment; gives its length.
pub(in crate::segment) fn write(
    vfs: &Arc<dyn Vfs>,
    meta: &SegmentMeta,
    index: SeriesIndex,
    sums: &FileSums<'_>,
) -> Result<u64> {
    let path = meta.sidecar_path();
    let bytes = encode(meta, index, sums);
    let mut file = vfs.create(&path).map_err(EngineError::io("create", &path))?;
    file.append(&bytes).map_err(EngineError::io("write", &path))?;
    file.sync().map_err(EngineError::io("sync", &path))?;
    Ok(bytes.len() as u64)
}

/// The bytes of a sidecar.
pub(super) fn encode(meta: &SegmentMeta, index: SeriesIndex, sums: &FileSums<'_>) -> Vec<u8> {
    let SeriesIndex { mut sections, series } = index;
    for crc in sums.samples.iter().chain(sums.series) {
        sections[BLOCKS].extend_from_slice(&crc.to_le_bytes());
    }
    let mut header = Header {
        version: VERSION,
        series,
        rows: meta.rows,
        samples_bytes: meta.samples_bytes,
        samples_crc32c: meta.samples_crc32c,
        series_crc32c: meta.series_crc32c,
        series_bytes: meta.series_bytes,
        sections: [Section::default(); SECTIONS],
    };
    let mut offset = HEADER_BYTES as u64;
    for (section, bytes) in header.sections.iter_mut().zip(&sections) {
        *section = Section {
            offset,
            length: bytes.len() as u64,
            crc32c: crc32c::crc32c(bytes),
        };
        offset += bytes.len() as u64;
    }
    let mut out = Vec::with_capacity(offset as usize);
    out.extend_from_slice(&header.encode());
    for bytes in &sections {
        out.extend_from_slice(bytes);
    }
    out
}

fn groups(rows: &[SeriesRow]) -> std::result::Result<(Vec<u8>, Vec<u8>), String> {
    let mut keys = MapBuilder::memory();
    let mut starts = Vec::new();
    let mut before: Option<StorageKey> = None;
    let mut number = 0;
    for (place, row) in rows.iter().enumerate() {
        let key = StorageKey::of(&row.labels);
        if before.as_ref() == Some(&key) {
            continue;
        }
        keys.insert(key.as_bytes(), number).map_err(|e| e.to_string())?;
        starts.extend_from_slice(&narrow(place as u64)?.to_le_bytes());
        number += 1;
        before = Some(key);
    }
    starts.extend_from_slice(&narrow(rows.len() as u64)?.to_le_bytes());
    Ok((keys.into_inner().map_err(|e| e.to_string())?, starts))
}

/// A label with the places that have it.
struct Posted<'a> {
    name: u32,
    value: &'a str,
    places: Vec<u32>,
}

fn labels(rows: &[SeriesRow]) -> std::result::Result<(Vec<u8>, Vec<u8>), String> {
    // Keyed anew each time, so that no sender can choose labels that collide.
    let seed = RandomState::new().hash_one(());
    let hash_of = |name: u32, value: &str| {
        xxh3_64_with_seed(
            value.as_bytes(),
            seed ^ u64::from(name).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        )
    };
    let (mut names, mut name_ids) = (Vec::new(), HashMap::new());
    let mut posted: Vec<Posted<'_>> = Vec::new();
    let mut table: HashTable<u32> = HashTable::new();
    for (place, row) in rows.iter().enumerate() {
        for (name, value) in row.labels.iter() {
            let name = *name_ids.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() as u32 - 1
            });
            let hash = hash_of(name, value);
            let is_it = |i: &u32| posted[*i as usize].name == name && posted[*i as usize].value == value;
            if let Some(i) = table.find(hash, is_it) {
                posted[*i as usize].places.push(place as u32);
                continue;
            }
            let i = posted.len() as u32;
            posted.push(Posted {
                name,
                value,
                places: vec![place as u32],
            });
            table.insert_unique(hash, i, |i| {
                let other = &posted[*i as usize];
                hash_of(other.name, other.value)
            });
        }
    }
    drop(table);
    // By the bytes of the keys, in which the separator is higher than any text.
    posted.sort_unstable_by(|a, b| {
        let name = |p: &Posted<'_>| names[p.name as usize].bytes().chain([SEPARATOR]);
        if a.name == b.name {
            a.value.cmp(b.value)
        } else {
            name(a).cmp(name(b))
        }
    });
    let (mut keys, mut sets, mut key) = (MapBuilder::memory(), Vec::new(), Vec::new());
    // What tells one pod or disk from the others often stands in several labels, which then have the same places.
    let mut written: HashMap<&[u32], u64> = HashMap::new();
    for label in &posted {
        key.clear();
        key.extend_from_slice(names[label.name as usize].as_bytes());
        key.push(SEPARATOR);
        key.extend_from_slice(label.value.as_bytes());
        let value = match label.places.as_slice() {
            [place] => u64::from(*place) * 2,
            places => match written.get(places) {
                Some(offset) => offset * 2 + 1,
                None => {
                    let offset = sets.len() as u64;
                    postings::write(places, &mut sets)?;
                    written.insert(places, offset);
                    offset * 2 + 1
                }
            },
        };
        keys.insert(&key, value).map_err(|e| e.to_string())?;
    }
    Ok((keys.into_inner().map_err(|e| e.to_string())?, sets))
}

fn narrow(number: u64) -> std::result::Result<u32, String> {
    u32::try_from(number).map_err(|_| format!("{number}, and a segment has below 2^32 rows"))
}
