//! Conditions that the rest of a query finds while it runs: what a join has on its other side, above all.
//!
//! A scan that is told which series are wanted reads those and no others, so that `samples JOIN series USING (series_id)
//! WHERE labels['host'] = 'a'` costs what the series of one host cost. See "dynamic filters" of DataFusion.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use barograph_engine::SeriesSet;
use barograph_model::{TimeRange, TimestampMs};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column as ColumnExpr, Literal};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr_common::physical_expr::snapshot_physical_expr;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};

use super::samples::{Column, ColumnOf, positions_where};
use super::scan_exec::Source;

/// Conditions that are there before a scan begins to read, and not before.
#[derive(Default)]
pub(crate) struct Narrowing {
    conditions: Vec<Arc<dyn PhysicalExpr>>,
    /// The source that all partitions read, once one of them has begun: they have to agree.
    narrowed: Mutex<Option<Arc<dyn Source>>>,
}

impl Narrowing {
    /// By these conditions, which are about the columns of the scan.
    pub(crate) fn by(conditions: Vec<Arc<dyn PhysicalExpr>>) -> Self {
        Self {
            conditions,
            narrowed: Mutex::default(),
        }
    }

    /// The conditions.
    pub(crate) fn conditions(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.conditions
    }

    /// What is to be read of a source, given what the conditions are now.
    pub(crate) fn apply(
        &self,
        source: &Arc<dyn Source>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Arc<dyn Source>> {
        if self.conditions.is_empty() {
            return Ok(Arc::clone(source));
        }
        let mut narrowed = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(narrowed) = narrowed.as_ref() {
            return Ok(Arc::clone(narrowed));
        }
        let mut parts = Vec::new();
        for condition in &self.conditions {
            let now = snapshot_physical_expr(Arc::clone(condition))?;
            parts.extend(split_conjunction(&now).into_iter().cloned());
        }
        parts.retain(|part| !is_true(part));
        let found = match parts.is_empty() {
            true => None,
            false => source.narrowed(&parts)?,
        };
        if let Some(found) = &found {
            for (name, count) in found.counters() {
                let name = format!("narrowed_{name}");
                MetricBuilder::new(metrics).global_counter(name).add(count);
            }
        }
        let found = found.unwrap_or_else(|| Arc::clone(source));
        *narrowed = Some(Arc::clone(&found));
        Ok(found)
    }
}

fn is_true(part: &Arc<dyn PhysicalExpr>) -> bool {
    let literal = part.downcast_ref::<Literal>();
    literal.is_some_and(|literal| *literal.value() == ScalarValue::Boolean(Some(true)))
}

/// Parts of a condition, sorted by what a scan of series over a range can do with them. Other parts are left to the rest
/// of the query, which checks all of them anyway.
pub(crate) struct SeriesCondition {
    /// Instants outside of it are not wanted.
    pub(crate) range: TimeRange,
    /// What is to hold of a series.
    of_series: Vec<Arc<dyn PhysicalExpr>>,
}

impl SeriesCondition {
    /// Sorts parts, given the columns that they number, as far as these are known.
    pub(crate) fn of(parts: &[Arc<dyn PhysicalExpr>], columns: ColumnOf<'_>) -> Self {
        let mut range = TimeRange::ALL;
        let mut of_series = Vec::new();
        for part in parts {
            let named = collect_columns(part);
            let is_of_series =
                |column: &ColumnExpr| columns(column.index()).is_some_and(Column::is_of_series);
            if !named.is_empty() && named.iter().all(is_of_series) {
                of_series.push(Arc::clone(part));
            } else if let Some(bound) = bound_of_ts(part, columns) {
                range = range.intersect(&bound);
            }
        }
        Self { range, of_series }
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.of_series.is_empty() && self.range == TimeRange::ALL
    }

    /// The series for which it holds. Fields of `schema` are numbered as columns.
    pub(crate) fn passing(&self, set: &SeriesSet, columns: ColumnOf<'_>, schema: &SchemaRef) -> SeriesSet {
        let mut passing: Vec<usize> = (0..set.len()).collect();
        for part in &self.of_series {
            // What fails here may be about series that have no row to show; the rest of the query will tell.
            if let Ok(left) = positions_where(set, part, schema, columns, &passing) {
                passing = left;
            }
        }
        if passing.len() == set.len() {
            set.clone()
        } else {
            set.at(&passing)
        }
    }
}

/// The instants that `ts >= X` and its like allow.
fn bound_of_ts(part: &Arc<dyn PhysicalExpr>, columns: ColumnOf<'_>) -> Option<TimeRange> {
    let part = part.downcast_ref::<BinaryExpr>()?;
    let column = part.left().downcast_ref::<ColumnExpr>()?;
    let ScalarValue::TimestampMillisecond(Some(ts), _) = part.right().downcast_ref::<Literal>()?.value()
    else {
        return None;
    };
    if columns(column.index()) != Some(&Column::Ts) {
        return None;
    }
    // Wider by the instant itself where it is not allowed, which the rest of the query sorts out.
    match part.op() {
        Operator::Gt | Operator::GtEq => Some(TimeRange {
            start: TimestampMs(*ts),
            ..TimeRange::ALL
        }),
        Operator::Lt | Operator::LtEq => Some(TimeRange {
            end: TimestampMs(*ts),
            ..TimeRange::ALL
        }),
        Operator::Eq => Some(TimeRange::new(*ts, *ts)),
        _ => None,
    }
}
