//! A part of a share that goes back by itself.

use std::sync::Arc;

use super::{MemoryBudget, MemoryRefusal, MemoryShare};

/// What one holder has drawn from a share; given back when it is dropped.
#[derive(Debug)]
pub struct MemoryReservation {
    budget: Arc<MemoryBudget>,
    share: MemoryShare,
    bytes: usize,
}

impl MemoryReservation {
    /// A reservation of nothing, which may grow.
    #[must_use]
    pub fn empty(budget: &Arc<MemoryBudget>, share: MemoryShare) -> Self {
        Self {
            budget: Arc::clone(budget),
            share,
            bytes: 0,
        }
    }

    /// Draws more, or nothing.
    ///
    /// # Errors
    /// [`MemoryRefusal`] where the share or the whole budget does not have it.
    pub fn try_grow(&mut self, bytes: usize) -> Result<(), MemoryRefusal> {
        self.budget.try_grow(self.share, bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Counts more, whether or not there is more: for what must go on, such as a flush, which gives memory back.
    pub fn grow(&mut self, bytes: usize) {
        self.budget.grow(self.share, bytes);
        self.bytes += bytes;
    }

    /// Gives a part back; more than is held gives back all.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.budget.shrink(self.share, bytes);
        self.bytes -= bytes;
    }

    /// What is drawn, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.budget.shrink(self.share, self.bytes);
    }
}
