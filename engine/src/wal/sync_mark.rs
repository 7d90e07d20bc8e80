//! Marks in a log that is synced at intervals: what is durable for certain.
//!
//! Such a log acknowledges what is written and not yet synced. After a power cut any part of that may be missing, one
//! write and not the next. A mark is a frame that says "everything below this number is durable", so that recovery can
//! tell the two apart: unreadable bytes in front of the last mark's number are damage, and behind it they are the end
//! of the log, whatever else has survived behind them. So what is lost is a tail and never a hole.

use super::frame::Frame;
use crate::Result;

/// The kind of a mark.
pub(crate) const KIND_SYNCED: u8 = 16;

impl Frame {
    /// A mark: frames below `seq` are durable.
    pub(super) fn synced(seq: u64) -> Result<Self> {
        Self::new(KIND_SYNCED, seq.to_le_bytes().to_vec())
    }
}

/// What a mark says; `None` where the payload is none.
pub(super) fn decode(kind: u8, payload: &[u8]) -> Option<u64> {
    if kind != KIND_SYNCED {
        return None;
    }
    payload.try_into().ok().map(u64::from_le_bytes)
}
