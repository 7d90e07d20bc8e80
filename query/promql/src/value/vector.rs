//! Series with their columns, and the other things that an expression may give.

use std::sync::Arc;

use barograph_model::{Labels, METRIC_NAME};
use hashbrown::HashMap;

use super::Column;
use crate::QueryError;
use crate::meter::Hold;

/// A series of a vector.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) labels: Arc<Labels>,
    pub(crate) column: Column,
}

/// An instant vector at every step. At no step two series with the same labels have a sample.
#[derive(Debug, Default)]
pub(crate) struct Vector {
    pub(crate) series: Vec<Series>,
    /// what it has drawn from the query's account
    pub(crate) holds: Vec<Hold>,
}

/// What a node gives.
#[derive(Debug)]
pub(crate) enum Value {
    /// A float a step.
    Scalar(Vec<f64>),
    /// A text.
    Text(String),
    /// Series.
    Vector(Vector),
}

/// Prometheus' message for series that can no longer be told apart.
pub(crate) const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

impl Vector {
    /// A vector of some series.
    pub(crate) fn of(series: Vec<Series>) -> Self {
        let holds = Vec::new();
        Self { series, holds }
    }

    /// A vector of one series without labels.
    pub(crate) fn of_one(column: Column) -> Self {
        let labels = Arc::new(Labels::empty());
        Self::of(vec![Series { labels, column }])
    }

    /// Leaves out series that have no sample at any step.
    pub(crate) fn drop_empty(&mut self) {
        self.series.retain(|series| !series.column.is_empty());
    }

    /// Takes the metric's name off every series.
    pub(crate) fn drop_names(&mut self) -> Result<(), QueryError> {
        for series in &mut self.series {
            if !series.labels.metric().is_empty() {
                series.labels = Arc::new(series.labels.without_metric());
            }
        }
        self.unite()
    }

    /// Makes series with the same labels one.
    ///
    /// # Errors
    /// Where two of them have a sample at the same step.
    pub(crate) fn unite(&mut self) -> Result<(), QueryError> {
        let mut seen: HashMap<Arc<Labels>, usize> = HashMap::with_capacity(self.series.len());
        let mut united: Vec<Series> = Vec::with_capacity(self.series.len());
        for series in self.series.drain(..) {
            match seen.get(&series.labels) {
                Some(place) => {
                    let filled = united[*place].column.fill_from(&series.column);
                    filled.map_err(|_| QueryError::execution(SAME_LABELS))?;
                }
                None => {
                    seen.insert(Arc::clone(&series.labels), united.len());
                    united.push(series);
                }
            }
        }
        self.series = united;
        Ok(())
    }

    /// The same samples at every one of so many steps.
    pub(crate) fn broadcast(&self, steps: usize) -> Self {
        let series = self.series.iter().map(|series| Series {
            labels: Arc::clone(&series.labels),
            column: series.column.broadcast(steps),
        });
        Self::of(series.collect())
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let of_one = |series: &Series| series.labels.heap_bytes() + series.column.memory_bytes();
        self.series.iter().map(of_one).sum()
    }
}

impl Value {
    /// The same at every one of so many steps.
    pub(crate) fn broadcast(self, steps: usize) -> Self {
        match self {
            Self::Scalar(values) => Self::Scalar(vec![values[0]; steps]),
            Self::Text(text) => Self::Text(text),
            Self::Vector(vector) => Self::Vector(vector.broadcast(steps)),
        }
    }
}

/// Labels without the metric's name; the same allocation where there is none.
pub(crate) fn nameless(labels: &Arc<Labels>) -> Arc<Labels> {
    if labels.get(METRIC_NAME).is_empty() {
        Arc::clone(labels)
    } else {
        Arc::new(labels.without_metric())
    }
}
