//! A whole sidecar, for those who judge it instead of trusting it.
//!
//! What is opened is what was written, as far as checksums say so. Here it is looked at as well: each key of the groups,
//! each label, each set of places.

use std::path::PathBuf;

use fst::Streamer;
use roaring::RoaringBitmap;

use super::header::{GROUPS, LABELS};
use super::{SEPARATOR, Sidecar};
use crate::{EngineError, Result};

impl Sidecar {
    /// Reads everything behind the checksums. The transducers of a sidecar that this program has not written may panic.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for what no writer writes.
    pub(in crate::segment) fn read_all(&self) -> Result<()> {
        self.read_groups()?;
        self.read_labels()
    }

    /// The keys of the groups stand for their numbers, in order.
    fn read_groups(&self) -> Result<()> {
        let (mut stream, mut count) = (self.groups.stream(), 0);
        while let Some((key, group)) = stream.next() {
            if group != count || count >= self.groups() as u64 {
                return Err(self.corrupt(
                    GROUPS,
                    format!("group {count}"),
                    format!("{group} for {:?}", shown(key)),
                ));
            }
            count += 1;
        }
        match count == self.groups() as u64 {
            true => Ok(()),
            false => Err(self.corrupt(GROUPS, format!("{} groups", self.groups()), count.to_string())),
        }
    }

    /// Labels stand for sets of places that are there. A series has one value of a label at most.
    fn read_labels(&self) -> Result<()> {
        let (mut stream, mut count) = (self.labels.stream(), 0);
        let (mut name, mut of_name) = (Vec::new(), RoaringBitmap::new());
        while let Some((key, value)) = stream.next() {
            count += 1;
            let wrong = |expected: &str| self.corrupt(LABELS, expected.to_owned(), shown(key));
            if count > self.labels.len() as u64 {
                return Err(wrong(&format!("{} labels", self.labels.len())));
            }
            let separator = key.iter().position(|byte| *byte == SEPARATOR);
            let (this, text) = separator
                .map(|at| (&key[..at], &key[at + 1..]))
                .filter(|(name, text)| [name, text].iter().all(|part| std::str::from_utf8(part).is_ok()))
                .ok_or_else(|| wrong("a name, 0xFF and a value"))?;
            if text.is_empty() {
                return Err(wrong("a value"));
            }
            if name != this {
                name = this.to_vec();
                of_name.clear();
            }
            let places = self.postings(value)?;
            if places
                .max()
                .is_none_or(|last| u64::from(last) >= self.header.series)
            {
                return Err(wrong("places of series"));
            }
            if !places.is_disjoint(&of_name) {
                return Err(wrong("places that have no other value"));
            }
            of_name |= places;
        }
        match count == self.labels.len() as u64 {
            true => Ok(()),
            false => Err(self.corrupt(LABELS, format!("{} labels", self.labels.len()), count.to_string())),
        }
    }

    fn corrupt(&self, section: usize, expected: String, found: String) -> EngineError {
        EngineError::Corrupt {
            path: PathBuf::from(self.path()),
            offset: self.header.sections[section].offset,
            expected,
            found,
        }
    }
}

/// The beginning of a key, for messages.
fn shown(key: &[u8]) -> String {
    key[..key.len().min(80)].escape_ascii().to_string()
}
