//! The level: the running median of what the season leaves, over a memory of about a day.
//!
//! The memory is cut into [`SLOTS`] equal slots, each keeping the mean of its values; the level is the median
//! of the kept slots. Up to half a memory of wild values therefore does not move it, a drift is followed half
//! a memory behind, and a step that stays becomes the new level after half a memory: until then it is an
//! anomaly, from then on it is how things are.

use barograph_model::TimestampMs;

use crate::error::DetectorError;
use crate::robust::median;
use crate::state::{Reader, Writer};

const SLOTS: usize = 48;

/// The running median. O(1) a value, O(slots) when a slot is full.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    slot_ms: i64,
    level: f64,
    slots: Vec<f64>,
    next: usize,
    current_slot: i64,
    sum: f64,
    count: f64,
}

impl Level {
    /// A level over `memory_ms`, starting at `level`.
    pub(crate) fn new(memory_ms: i64, step_ms: i64, level: f64) -> Self {
        let slot_ms = (memory_ms / SLOTS as i64).max(step_ms);
        Self {
            slot_ms,
            level,
            slots: Vec::new(),
            next: 0,
            current_slot: i64::MIN,
            sum: 0.0,
            count: 0.0,
        }
    }

    pub(crate) fn level(&self) -> f64 {
        self.level
    }

    /// Starts again from slot means of another model, oldest first.
    pub(crate) fn restart(&mut self, means: &[f64]) {
        let from = means.len().saturating_sub(SLOTS);
        self.slots = means[from..].to_vec();
        self.next = self.slots.len() % SLOTS;
        self.current_slot = i64::MIN;
        self.update();
    }

    /// The width of a slot in milliseconds.
    pub(crate) fn slot_ms(&self) -> i64 {
        self.slot_ms
    }

    /// Learns the deseasonalised value at an instant.
    pub(crate) fn learn(&mut self, ts: TimestampMs, value: f64) {
        let slot = ts.0.div_euclid(self.slot_ms);
        if slot != self.current_slot {
            if self.current_slot != i64::MIN && self.count > 0.0 {
                let mean = self.sum / self.count;
                if self.slots.len() < SLOTS {
                    self.slots.push(mean);
                } else {
                    self.slots[self.next] = mean;
                }
                self.next = (self.next + 1) % SLOTS;
                self.update();
            }
            (self.current_slot, self.sum, self.count) = (slot, 0.0, 0.0);
        }
        self.sum += value;
        self.count += 1.0;
    }

    fn update(&mut self) {
        if !self.slots.is_empty() {
            self.level = median(&mut self.slots.clone());
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.i64(self.slot_ms);
        writer.f64(self.level);
        writer.floats(&self.slots);
        writer.usize(self.next);
        writer.i64(self.current_slot);
        writer.f64(self.sum);
        writer.f64(self.count);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let (slot_ms, level, slots) = (reader.i64()?.max(1), reader.f64()?, reader.floats()?);
        let next = reader.usize(slots.len().min(SLOTS - 1))?;
        let (current_slot, sum, count) = (reader.i64()?, reader.f64()?, reader.f64()?);
        Ok(Self {
            slot_ms,
            level,
            slots,
            next,
            current_slot,
            sum,
            count,
        })
    }
}
