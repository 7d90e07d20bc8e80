//! The write-ahead log as the engine uses it: samples, and before them the series they name.
//!
//! The log of one generation (from one memtable freeze to the next) says of every number that its samples use which
//! series it stands for, so that it can be replayed with nothing else at hand: not with older logs, which are cut, nor
//! with segments, which retention may have dropped. All samples of a generation are of one head. Its first record says
//! that it begins: where definitions are damaged, a number must not be taken for what it meant before.

use crate::index::Head;
use crate::wal::{Frame, Wal};
use crate::{EngineError, Result, SampleColumns, SeriesRef};

/// Series of one definition record, so that no record is large.
const SERIES_OF_RECORD: usize = 10_000;

/// The log with what it has already defined.
#[derive(Debug)]
pub(crate) struct Log {
    wal: Wal,
    generation: u32,
    /// by series of the head: the generation in which it was last defined; 0 is before the first
    defined: Vec<u32>,
    /// series defined by frames that are not synced yet
    defining: Vec<SeriesRef>,
    beginning: Beginning,
}

/// Whether the log says that the generation has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Missing,
    /// in a frame that is not synced yet
    Pushed,
    Synced,
}

impl Log {
    pub(crate) fn new(wal: Wal) -> Self {
        Self {
            wal,
            generation: 1,
            defined: Vec::new(),
            defining: Vec::new(),
            beginning: Beginning::Missing,
        }
    }

    /// Buffers a batch, definitions first. On an error nothing of this batch is buffered.
    pub(crate) fn push(&mut self, columns: &SampleColumns, frames: &[Frame]) -> Result<()> {
        let begin = match self.beginning {
            Beginning::Missing => Some(Frame::generation()?),
            _ => None,
        };
        let before = self.defining.len();
        for series in columns.series().iter().copied().chain(columns.lanes().series()) {
            let i = series.0 as usize;
            if i >= self.defined.len() {
                self.defined.resize(i + 1, 0);
            }
            if self.defined[i] != self.generation {
                self.defined[i] = self.generation;
                self.defining.push(series);
            }
        }
        match self.definitions(before, columns.head()) {
            Ok(definitions) => {
                if let Some(begin) = begin {
                    self.wal.push(&begin);
                    self.beginning = Beginning::Pushed;
                }
                for definition in definitions {
                    self.wal.push(&definition);
                }
                for frame in frames {
                    self.wal.push(frame);
                }
                Ok(())
            }
            Err(error) => {
                self.forget(before);
                Err(error)
            }
        }
    }

    fn definitions(&self, from: usize, head: &Head) -> Result<Vec<Frame>> {
        let frame = |part: &[SeriesRef]| {
            let mut series = Vec::with_capacity(part.len());
            head.for_each(part.iter().copied(), |number, _, labels| {
                series.push((number, labels))
            });
            Frame::series(series.iter().map(|(number, labels)| (*number, labels)))
        };
        self.defining[from..]
            .chunks(SERIES_OF_RECORD)
            .map(frame)
            .collect()
    }

    /// Takes back the definitions from a place on: they are not in the log.
    fn forget(&mut self, from: usize) {
        for series in self.defining.drain(from..) {
            self.defined[series.0 as usize] = 0;
        }
    }

    /// Writes all that was pushed, and syncs it unless that is done at intervals. On an error nothing of it counts, the definitions included.
    pub(crate) fn commit(&mut self) -> Result<()> {
        let result = self.wal.commit();
        if result.is_err() {
            self.forget(0);
        }
        if self.beginning == Beginning::Pushed {
            self.beginning = match result {
                Ok(()) => Beginning::Synced,
                Err(_) => Beginning::Missing,
            };
        }
        self.defining.clear();
        result
    }

    /// Whether something was committed that no sync has covered.
    pub(crate) fn has_unsynced(&self) -> bool {
        self.wal.has_unsynced()
    }

    /// Makes durable what was committed.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.wal.sync()
    }

    /// The number of the next frame.
    pub(crate) fn next_seq(&self) -> u64 {
        self.wal.next_seq()
    }

    /// Begins a new file and a new generation; gives the number of the first frame that will be in it.
    pub(crate) fn next_generation(&mut self) -> Result<u64> {
        self.wal.rotate()?;
        self.generation += 1;
        self.beginning = Beginning::Missing;
        Ok(self.wal.next_seq())
    }

    /// Drops files whose frames are all below `seq`, which the manifest knows.
    pub(crate) fn cut(&mut self, seq: u64) -> Result<()> {
        self.wal.cut_all(seq)
    }

    /// Bytes of all files of the log.
    pub(crate) fn bytes(&self) -> u64 {
        self.wal.bytes()
    }

    /// Why no write is accepted any more, if so.
    pub(crate) fn poisoned(error: &EngineError) -> Option<&str> {
        match error {
            EngineError::Poisoned { reason } => Some(reason),
            _ => None,
        }
    }
}
