//! The part of a query's conditions that decides which series and which instants are read at all.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use barograph_engine::{SeriesSet, Snapshot};
use barograph_model::{Matcher, TimeRange, TimestampMs};
use datafusion::catalog::Session;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Cast, Expr, Operator, TableProviderFilterPushDown, TryCast};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};

use super::column::{Column, ColumnOf, series_arrays};
use super::matchers::matchers;
use super::time_bounds::time_bounds;
use crate::sql::error::{SqlError, SqlErrorCode, store_error};
use crate::sql::format::rfc3339;

/// Series are read in groups of so many where a condition is evaluated on them.
const SERIES_PER_BATCH: usize = 8_192;

/// Which part of a condition the scan takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it.
    Exact,
    /// It reads less because of it, but the condition must be checked again.
    Inexact,
    /// Nothing.
    Unsupported,
}

impl From<Outcome> for TableProviderFilterPushDown {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Exact => Self::Exact,
            Outcome::Inexact => Self::Inexact,
            Outcome::Unsupported => Self::Unsupported,
        }
    }
}

/// Conditions taken over from a query.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    /// Instants that are read.
    pub(crate) range: TimeRange,
    /// Conditions for the index.
    pub(crate) matchers: Vec<Matcher>,
    /// Conditions that are evaluated once per series, after the matchers.
    pub(crate) residual: Vec<Expr>,
}

impl Selection {
    /// Everything that passes the given matchers.
    pub(crate) fn of(matchers: Vec<Matcher>) -> Self {
        Self {
            range: TimeRange::ALL,
            matchers,
            residual: Vec::new(),
        }
    }

    /// Takes over as much of a condition as keeps SQL's meaning. `column_of` finds a column by its name.
    pub(crate) fn add<'a>(&mut self, expr: &Expr, column_of: &dyn Fn(&str) -> Option<&'a Column>) -> Outcome {
        if let Some(bounds) = time_bounds(expr, "ts") {
            self.range = self.range.intersect(&bounds.range);
            return if bounds.exact {
                Outcome::Exact
            } else {
                Outcome::Inexact
            };
        }
        if !is_about(expr, &|name| column_of(name).is_some_and(Column::is_of_series)) {
            return Outcome::Unsupported;
        }
        let label_of = |expr: &Expr| match expr {
            Expr::Column(column) => match column_of(&column.name) {
                Some(Column::Label(label)) => Some(label.clone()),
                _ => None,
            },
            _ => None,
        };
        let narrowed = matchers(expr, &label_of);
        let exact = narrowed.as_ref().is_some_and(|narrowed| narrowed.exact);
        self.matchers
            .extend(narrowed.into_iter().flat_map(|narrowed| narrowed.matchers));
        if !exact {
            self.residual.push(expr.clone());
        }
        Outcome::Exact
    }

    /// What EXPLAIN shows of it.
    pub(crate) fn describe(&self) -> Vec<(&'static str, String)> {
        let matchers: Vec<_> = self.matchers.iter().map(ToString::to_string).collect();
        let mut facts = vec![("matchers", format!("{{{}}}", matchers.join(", ")))];
        if let Some(condition) = conjunction(self.residual.iter().cloned()) {
            facts.push(("series_filter", condition.to_string()));
        }
        facts.push(("range", shown_range(&self.range)));
        facts
    }

    /// The series that pass, in storage order. Fields of `schema` are the table's, in the order of `columns`.
    pub(crate) fn series(
        &self,
        snapshot: &Snapshot,
        state: &dyn Session,
        schema: &SchemaRef,
        columns: &[Column],
    ) -> Result<SeriesSet> {
        if self.range.is_empty() {
            return Ok(SeriesSet::default());
        }
        let selected = snapshot.select(&self.matchers, self.range).map_err(store_error)?;
        let Some(condition) = conjunction(self.residual.iter().cloned()) else {
            return Ok(selected);
        };
        let df_schema = DFSchema::try_from(Arc::clone(schema))?;
        let condition = state.create_physical_expr(condition, &df_schema)?;
        let all: Vec<usize> = (0..selected.len()).collect();
        let passed = positions_where(&selected, &condition, schema, &|i| columns.get(i), &all)?;
        Ok(selected.at(&passed))
    }
}

/// `[2026-01-01T00:00:00.000Z..]`: both ends inside, an end that is open left out.
pub(crate) fn shown_range(range: &TimeRange) -> String {
    if range.is_empty() {
        return "empty".to_owned();
    }
    let shown = |ts: TimestampMs, open: TimestampMs| if ts == open { String::new() } else { rfc3339(ts.0) };
    format!(
        "[{}..{}]",
        shown(range.start, TimestampMs::MIN),
        shown(range.end, TimestampMs::MAX)
    )
}

/// For a condition that the scan had taken over and that the optimizer has since rewritten beyond recognition:
/// to go on would give rows that do not meet it.
pub(crate) fn unrecognised(condition: &Expr) -> DataFusionError {
    let message = format!("the condition {condition} cannot be evaluated where it was placed");
    SqlError::new(SqlErrorCode::Unsupported, message)
        .with_hint("write the condition in another way")
        .into()
}

/// Those of some positions for whose series a condition holds. It numbers `columns`, which are the fields of `schema`,
/// and is about columns of series only; NULL counts as false, as in WHERE.
pub(crate) fn positions_where(
    set: &SeriesSet,
    condition: &Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
    columns: ColumnOf<'_>,
    positions: &[usize],
) -> Result<Vec<usize>> {
    let mut read: Vec<usize> = collect_columns(condition).iter().map(|c| c.index()).collect();
    read.sort_unstable();
    let schema = Arc::new(schema.project(&read)?);
    let columns: Vec<&Column> = read.iter().filter_map(|i| columns(*i)).collect();
    let condition = reassign_expr_columns(Arc::clone(condition), &schema)?;
    let mut passed = Vec::new();
    for positions in positions.chunks(SERIES_PER_BATCH) {
        let arrays = series_arrays(set, &columns, positions)?.into_iter().flatten();
        let passes = passes(&condition, &schema, arrays.collect(), positions.len())?;
        passed.extend(
            positions
                .iter()
                .zip(passes)
                .filter(|(_, passes)| *passes)
                .map(|(p, _)| *p),
        );
    }
    Ok(passed)
}

/// Evaluates a condition on rows; NULL counts as false, as in WHERE.
pub(crate) fn evaluate_on(
    state: &dyn Session,
    condition: &Expr,
    schema: &SchemaRef,
    arrays: Vec<ArrayRef>,
    rows: usize,
) -> Result<Vec<bool>> {
    let df_schema = DFSchema::try_from(Arc::clone(schema))?;
    let condition = state.create_physical_expr(condition.clone(), &df_schema)?;
    passes(&condition, schema, arrays, rows)
}

fn passes(
    condition: &Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
    arrays: Vec<ArrayRef>,
    rows: usize,
) -> Result<Vec<bool>> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?;
    let array = condition.evaluate(&batch)?.into_array(rows)?;
    let Some(passes) = array.as_boolean_opt() else {
        return Ok(vec![false; rows]);
    };
    Ok((0..rows)
        .map(|row| passes.is_valid(row) && passes.value(row))
        .collect())
}

/// Whether all columns of a condition pass `is_column`, and it consists of nothing that could fail, change from
/// call to call, or need the rest of the query. A constant is about everything.
pub(crate) fn is_about(expr: &Expr, is_column: &dyn Fn(&str) -> bool) -> bool {
    let mut fine = true;
    let visited = expr.apply(|node| {
        fine &= match node {
            Expr::Column(column) => is_column(&column.name),
            Expr::BinaryExpr(binary) => is_total(binary.op),
            Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
                field.data_type().is_string()
            }
            Expr::ScalarFunction(call) => is_total_function(call.name()),
            Expr::Alias(_)
            | Expr::Literal(..)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::InList(_) => true,
            _ => false,
        };
        Ok(if fine {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    });
    visited.is_ok() && fine
}

/// Operators that have a result for all values of their types.
fn is_total(op: Operator) -> bool {
    use Operator::{
        And, Eq, Gt, GtEq, ILikeMatch, IsDistinctFrom, IsNotDistinctFrom, LikeMatch, Lt, LtEq, NotEq,
        NotILikeMatch, NotLikeMatch, Or, RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch,
        StringConcat,
    };
    matches!(
        op,
        Eq | NotEq
            | Lt
            | LtEq
            | Gt
            | GtEq
            | And
            | Or
            | IsDistinctFrom
            | IsNotDistinctFrom
            | RegexMatch
            | RegexIMatch
            | RegexNotMatch
            | RegexNotIMatch
            | LikeMatch
            | ILikeMatch
            | NotLikeMatch
            | NotILikeMatch
            | StringConcat
    )
}

/// Functions of text that have a result for every text, and always the same one.
fn is_total_function(name: &str) -> bool {
    matches!(
        name,
        "regexp_like"
            | "lower"
            | "upper"
            | "starts_with"
            | "ends_with"
            | "contains"
            | "character_length"
            | "octet_length"
            | "coalesce"
            | "concat"
            | "concat_ws"
            | "btrim"
            | "ltrim"
            | "rtrim"
            | "left"
            | "right"
            | "strpos"
            | "replace"
            | "reverse"
            | "split_part"
    )
}
