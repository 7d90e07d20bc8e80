//! What all parts of one evaluation share.

use std::sync::Arc;

use barograph_engine::Snapshot;

use crate::annotations::{Notes, Severity};
use crate::histogram::{Reconciled, annotation};
use crate::meter::Meter;
use crate::syntax::{At, Modifiers, SourceSpan};
use crate::{EvalOptions, Grid, Interrupt, Query, QueryError};

/// One evaluation.
pub(crate) struct Context<'q> {
    pub(crate) snapshot: &'q Snapshot,
    pub(crate) query: &'q Query,
    pub(crate) options: &'q EvalOptions,
    interrupt: &'q Interrupt,
    notes: Notes,
    pub(crate) meter: Arc<Meter>,
}

impl<'q> Context<'q> {
    pub(crate) fn new(
        snapshot: &'q Snapshot,
        query: &'q Query,
        options: &'q EvalOptions,
        interrupt: &'q Interrupt,
    ) -> Self {
        Self {
            snapshot,
            query,
            options,
            interrupt,
            notes: Notes::default(),
            meter: Meter::new(options, query.grid),
        }
    }

    /// What ends it from outside.
    pub(crate) fn interrupt(&self) -> &'q Interrupt {
        self.interrupt
    }

    /// Whether to go on.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        self.interrupt.check()
    }

    /// Says that the answer may not be what was meant.
    pub(crate) fn warn(&self, span: SourceSpan, text: &str) {
        self.notes.add(Severity::Warning, text, &self.query.text, span);
    }

    /// Says something worth knowing.
    pub(crate) fn inform(&self, span: SourceSpan, text: &str) {
        self.notes.add(Severity::Info, text, &self.query.text, span);
    }

    /// Says so where a rate is taken of what is not named as a counter.
    pub(crate) fn note_counter(&self, span: SourceSpan, metric: &str) {
        let is_counter = ["_total", "_sum", "_count", "_bucket"]
            .iter()
            .any(|end| metric.ends_with(end));
        if !metric.is_empty() && !is_counter {
            let text = format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric:?}"
            );
            self.inform(span, &text);
        }
    }

    /// Says what had to be settled between histograms that were put together.
    pub(crate) fn note_reconciled(&self, span: SourceSpan, reconciled: Reconciled, what: &str) {
        if reconciled.reset_collision {
            self.warn(span, &format!("{} {what}", annotation::RESET_COLLISION));
        }
        if reconciled.bounds {
            self.inform(span, &format!("{} {what}", annotation::BOUNDS_RECONCILED));
        }
    }

    /// The instants that a selector or subquery looks at for the steps of a grid.
    pub(crate) fn reference(&self, modifiers: &Modifiers, grid: Grid) -> Grid {
        let at = modifiers.at.map(|at| match at {
            At::Timestamp(ts) => ts,
            At::Start => self.query.grid.start(),
            At::End => self.query.grid.end(),
        });
        at.map_or(grid, |ts| Grid::fixed(ts, grid.len()))
            .shifted(modifiers.offset_ms.saturating_neg())
    }

    /// What was said.
    pub(crate) fn into_notes(self) -> Notes {
        self.notes
    }
}
