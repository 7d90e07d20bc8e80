//! One series over the steps of a grid: a float or a histogram a step, or nothing.

use std::sync::Arc;

use barograph_model::{STALE_NAN_BITS, is_stale};

use crate::answer::SampleValue;
use crate::histogram::FloatHistogram;

/// Stands where a column has no float. A staleness marker is never the value of an expression, so its bits are free to
/// say this; arithmetic does not keep them, so each operator looks before it calculates.
pub(crate) const ABSENT: f64 = f64::from_bits(STALE_NAN_BITS);

/// Whether a column has no float here.
pub(crate) fn is_absent(value: f64) -> bool {
    is_stale(value)
}

/// Histograms of a column, by step.
pub(crate) type HistogramColumn = Vec<Option<Arc<FloatHistogram>>>;

/// As many floats as there are steps, [`ABSENT`] where there is none. `histograms` is there only where a histogram may
/// be; a step never has both.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) floats: Vec<f64>,
    pub(crate) histograms: Option<Box<HistogramColumn>>,
}

impl Column {
    /// A column with nothing in it.
    pub(crate) fn absent(steps: usize) -> Self {
        Self::of_floats(vec![ABSENT; steps])
    }

    /// A column of floats.
    pub(crate) fn of_floats(floats: Vec<f64>) -> Self {
        Self {
            floats,
            histograms: None,
        }
    }

    /// How many steps.
    pub(crate) fn len(&self) -> usize {
        self.floats.len()
    }

    /// The histogram at a step.
    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        self.histograms.as_ref()?[step].as_ref()
    }

    /// Whether there is anything at a step.
    pub(crate) fn has(&self, step: usize) -> bool {
        !is_absent(self.floats[step]) || self.histogram(step).is_some()
    }

    /// Whether there is nothing at any step.
    pub(crate) fn is_empty(&self) -> bool {
        self.floats.iter().all(|value| is_absent(*value))
            && self
                .histograms
                .as_ref()
                .is_none_or(|all| all.iter().all(Option::is_none))
    }

    /// Samples in it.
    pub(crate) fn samples(&self) -> u64 {
        let floats = self.floats.iter().filter(|value| !is_absent(**value)).count();
        let histograms = self
            .histograms
            .as_ref()
            .map_or(0, |all| all.iter().flatten().count());
        (floats + histograms) as u64
    }

    /// What is at a step.
    pub(crate) fn get(&self, step: usize) -> Option<SampleValue> {
        if let Some(histogram) = self.histogram(step) {
            return Some(SampleValue::Histogram(Arc::clone(histogram)));
        }
        let value = self.floats[step];
        (!is_absent(value)).then_some(SampleValue::Float(value))
    }

    /// Puts something at a step, or nothing.
    pub(crate) fn set(&mut self, step: usize, value: Option<SampleValue>) {
        match value {
            Some(SampleValue::Float(float)) => {
                self.floats[step] = float;
                self.clear_histogram(step);
            }
            Some(SampleValue::Histogram(histogram)) => self.set_histogram(step, histogram),
            None => self.clear(step),
        }
    }

    /// Puts a histogram at a step.
    pub(crate) fn set_histogram(&mut self, step: usize, histogram: Arc<FloatHistogram>) {
        let steps = self.floats.len();
        self.floats[step] = ABSENT;
        let column = self.histograms.get_or_insert_with(|| Box::new(vec![None; steps]));
        column[step] = Some(histogram);
    }

    /// Takes away what is at a step.
    pub(crate) fn clear(&mut self, step: usize) {
        self.floats[step] = ABSENT;
        self.clear_histogram(step);
    }

    /// Takes away all histograms.
    pub(crate) fn drop_histograms(&mut self) {
        self.histograms = None;
    }

    /// The same sample at every one of so many steps: what a column of one step means for many.
    pub(crate) fn broadcast(&self, steps: usize) -> Self {
        Self {
            floats: vec![self.floats[0]; steps],
            histograms: self
                .histograms
                .as_ref()
                .map(|one| Box::new(vec![one[0].clone(); steps])),
        }
    }

    /// Replaces each float by another; steps without a float are left alone.
    pub(crate) fn map_floats(&mut self, mut map: impl FnMut(f64) -> f64) {
        for value in &mut self.floats {
            if !is_absent(*value) {
                *value = map(*value);
            }
        }
    }

    /// Takes over what `other` has where this has nothing. Gives the first step at which both have something.
    pub(crate) fn fill_from(&mut self, other: &Self) -> Result<(), usize> {
        for step in 0..other.len() {
            if other.has(step) {
                if self.has(step) {
                    return Err(step);
                }
                self.set(step, other.get(step));
            }
        }
        Ok(())
    }

    /// Bytes of memory, itself included; histograms are counted once for each step that points to them.
    pub(crate) fn memory_bytes(&self) -> usize {
        let histograms = self.histograms.as_ref().map_or(0, |all| {
            let of_one = |h: &Arc<FloatHistogram>| h.memory_bytes();
            all.len() * size_of::<usize>() + all.iter().flatten().map(of_one).sum::<usize>()
        });
        size_of::<Self>() + self.floats.len() * size_of::<f64>() + histograms
    }

    fn clear_histogram(&mut self, step: usize) {
        if let Some(column) = &mut self.histograms {
            column[step] = None;
        }
    }
}
