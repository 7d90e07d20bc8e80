//! The numbers of a page, in whichever of two encodings they are.

use parquet::basic::Encoding;

use super::Malformed;
use super::delta::Delta;
use super::page::Page;
use super::split::Split;

/// Numbers of eight bytes, one after the other; floats as their bits.
#[derive(Debug)]
pub(super) enum Numbers {
    Delta(Delta),
    Split(Split),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Delta(Delta::default())
    }
}

impl Numbers {
    /// Begins at a place in a page; gives how many numbers there are.
    pub(super) fn begin_at(&mut self, page: &Page, at: usize) -> Result<usize, Malformed> {
        // What a decoder took memory for serves the next page.
        match (page.encoding, &mut *self) {
            (Some(Encoding::DELTA_BINARY_PACKED), Self::Delta(_))
            | (Some(Encoding::BYTE_STREAM_SPLIT), Self::Split(_)) => {}
            (Some(Encoding::DELTA_BINARY_PACKED), _) => *self = Self::Delta(Delta::default()),
            (Some(Encoding::BYTE_STREAM_SPLIT), _) => *self = Self::Split(Split::default()),
            _ => return Err("numbers that are neither packed as steps nor split into streams"),
        }
        match self {
            Self::Delta(delta) => delta.begin_at(&page.bytes, at),
            Self::Split(split) => split.begin_at(&page.bytes, at),
        }
    }

    /// Appends the next `count` numbers to `out`.
    pub(super) fn read(&mut self, page: &Page, count: usize, out: &mut Vec<i64>) -> Result<(), Malformed> {
        match self {
            Self::Delta(delta) => delta.read(&page.bytes, count, out),
            Self::Split(split) => split.read(&page.bytes, count, out),
        }
    }

    /// Passes over the next `count` numbers.
    pub(super) fn skip(&mut self, page: &Page, count: usize) -> Result<(), Malformed> {
        match self {
            Self::Delta(delta) => delta.skip(&page.bytes, count),
            Self::Split(split) => split.skip(count),
        }
    }
}
