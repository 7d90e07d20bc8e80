//! A journal's checkpoint.

use std::path::Path;

use serde::Serialize;

use crate::Result;
use crate::journal::checkpoint;

/// What a checkpoint holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointFigures {
    /// Length of the file.
    pub bytes: u64,
    /// Records from this number on are not in it.
    pub next_seq: u64,
    /// Length of the state, whose layout is its owner's.
    pub state_bytes: u64,
}

/// Reads it.
pub(super) fn figures(path: &str, bytes: &[u8]) -> Result<CheckpointFigures> {
    let (next_seq, state) = checkpoint::decode(Path::new(path), bytes)?;
    Ok(CheckpointFigures {
        bytes: bytes.len() as u64,
        next_seq,
        state_bytes: state.len() as u64,
    })
}
