//! What a query has to say beside its answer: warnings and infos, worded as Prometheus does.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::syntax::SourceSpan;

/// Annotations of each sort that are kept; Prometheus' API shows ten.
const KEPT_MAX: usize = 64;

/// How grave an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The answer may not be what was meant.
    Warning,
    /// Something worth knowing.
    Info,
}

/// Warnings and infos, each text once, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Each begins with `PromQL warning: `.
    pub warnings: Vec<String>,
    /// Each begins with `PromQL info: `.
    pub infos: Vec<String>,
}

impl Annotations {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.warnings.is_empty() && self.infos.is_empty()
    }
}

/// Gathers annotations while parts of a query run in parallel.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<BTreeSet<(Severity, String)>>);

impl Notes {
    /// Adds a text about a place in the query.
    pub(crate) fn add(&self, severity: Severity, text: &str, query: &str, span: SourceSpan) {
        let prefix = match severity {
            Severity::Warning => "PromQL warning",
            Severity::Info => "PromQL info",
        };
        let (line, column) = line_and_column(query, span.start as usize);
        let note = format!("{prefix}: {text} ({line}:{column})");
        let mut notes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if notes.len() < 2 * KEPT_MAX {
            notes.insert((severity, note));
        }
    }

    /// What was gathered.
    pub(crate) fn into_annotations(self) -> Annotations {
        let mut annotations = Annotations::default();
        for (severity, note) in self
            .0
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            match severity {
                Severity::Warning => annotations.warnings.push(note),
                Severity::Info => annotations.infos.push(note),
            }
        }
        annotations
    }
}

/// Where a byte of the query stands, from 1.
fn line_and_column(query: &str, byte: usize) -> (usize, usize) {
    let before = &query.as_bytes()[..byte.min(query.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
    (line, column)
}
