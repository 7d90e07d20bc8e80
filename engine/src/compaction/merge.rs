//! Reads several segments as one: series in storage order, each instant once with its newest value.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::sync::Arc;

use barograph_model::{Labels, SeriesId};

use super::rows::{Block, Ready};
use crate::index::StorageKey;
use crate::segment::{SegmentMeta, SegmentStream, SeriesTable};
use crate::tombstone::{Mask, Tombstones};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Where a series stands in the order of all.
type Place = (StorageKey, SeriesId);

/// The files of one age, which are read one after the other.
pub(crate) struct Source {
    vfs: Arc<dyn Vfs>,
    /// those not opened yet, the last one first
    rest: Vec<(SegmentMeta, Mask)>,
    name: String,
    stream: SegmentStream,
    mask: Mask,
    place: Option<Place>,
}

impl Source {
    /// Opens files of one age, at least one, in any order.
    fn open(vfs: &Arc<dyn Vfs>, files: Vec<SegmentMeta>, tombstones: &Tombstones) -> Result<Option<Self>> {
        let mut rest = Vec::with_capacity(files.len());
        let is_alone = files.len() == 1;
        for meta in files {
            let first = match is_alone {
                true => None,
                false => SeriesTable::open(vfs, &meta)?.next().transpose()?,
            };
            let place = first.map(|series| (StorageKey::of(&series.labels), series.id));
            let mask = tombstones.mask(&meta);
            rest.push((place, meta, mask));
        }
        rest.sort_by(|a, b| b.0.cmp(&a.0));
        let mut rest: Vec<_> = rest.into_iter().map(|(_, meta, mask)| (meta, mask)).collect();
        let Some((meta, mask)) = rest.pop() else {
            return Ok(None);
        };
        let mut source = Self {
            vfs: Arc::clone(vfs),
            rest,
            stream: SegmentStream::open(vfs, &meta)?,
            name: meta.name,
            mask,
            place: None,
        };
        source.find_place()?;
        Ok(Some(source))
    }

    fn advance(&mut self) -> Result<()> {
        self.stream.advance()?;
        self.find_place()
    }

    /// Says where the source stands, going to the next file at the end of one.
    fn find_place(&mut self) -> Result<()> {
        while self.stream.series().is_none() {
            let Some((meta, mask)) = self.rest.pop() else {
                self.place = None;
                return Ok(());
            };
            self.stream = SegmentStream::open(&self.vfs, &meta)?;
            (self.name, self.mask) = (meta.name, mask);
        }
        let place = self
            .stream
            .series()
            .map(|series| (StorageKey::of(&series.labels), series.id));
        // The merge relies on it, and would give a file that readers cannot use.
        if self.place.is_some() && self.place >= place {
            return Err(EngineError::Corrupt {
                path: PathBuf::from(format!("{}.series.parquet", self.name)),
                offset: 0,
                expected: "series in storage order, each once".to_owned(),
                found: format!("{:?} too late", place.map(|(_, id)| id)),
            });
        }
        self.place = place;
        Ok(())
    }
}

/// Where the rows of a merge go: those of a series in one or more calls, one directly after the other, series in storage
/// order. A call may be without rows.
pub(crate) type Sink<'a> = dyn FnMut(SeriesId, &Arc<Labels>, &[i64], &[f64]) -> Result<()> + 'a;

/// Opens segments for a merge, given oldest first.
pub(crate) fn open_sources(
    vfs: &Arc<dyn Vfs>,
    segments: &[SegmentMeta],
    tombstones: &Tombstones,
) -> Result<Vec<Source>> {
    let ages = segments.chunk_by(|a, b| a.sequence == b.sequence);
    let mut sources = Vec::new();
    for age in ages {
        sources.extend(Source::open(vfs, age.to_vec(), tombstones)?);
    }
    Ok(sources)
}

/// Merges sources, which are given oldest first, into `output`. `oldest` gives the first instant that is kept of a
/// series. `stop` is asked now and then whether to call the merge off.
///
/// # Errors
/// [`EngineError::Closing`] when it was called off; else what an input or the output says.
pub(crate) fn merge(
    mut sources: Vec<Source>,
    oldest: &dyn Fn(&Labels) -> i64,
    output: &mut Sink<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for (i, source) in sources.iter().enumerate() {
        heap.extend(source.place.clone().map(|place| Reverse((place, i))));
    }
    let mut ready: Vec<Ready> = sources.iter().map(|_| Ready::default()).collect();
    let mut block = Block::default();
    let mut same = Vec::with_capacity(sources.len());
    // Indices ascend within a place, so the sources of a series come oldest first.
    while let Some(Reverse((place, i))) = heap.pop() {
        same.clear();
        same.push(i);
        while heap.peek().is_some_and(|Reverse((next, _))| *next == place) {
            same.extend(heap.pop().map(|Reverse((_, i))| i));
        }
        let Some(series) = sources[i].stream.series().cloned() else {
            continue;
        };
        let oldest = oldest(&series.labels);
        loop {
            for i in &same {
                let source = &mut sources[*i];
                ready[*i].refill(&mut source.stream, &source.mask, series.id, oldest)?;
            }
            let is_more = block.take(&mut ready, &same);
            if block.is_full() || !is_more {
                if stop() {
                    return Err(EngineError::Closing);
                }
                output(series.id, &series.labels, &block.ts, &block.values)?;
                block.clear();
            }
            if !is_more {
                break;
            }
        }
        for i in &same {
            ready[*i].clear();
            sources[*i].advance()?;
            heap.extend(sources[*i].place.clone().map(|place| Reverse((place, *i))));
        }
    }
    Ok(())
}
