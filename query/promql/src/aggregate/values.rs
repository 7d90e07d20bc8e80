//! `quantile` and `count_values`: aggregations that need every value of a group.

use std::sync::Arc;

use barograph_model::Labels;
use hashbrown::HashMap;

use super::grouping::{Groups, Labelled};
use super::of_groups;
use crate::eval::Context;
use crate::number::float_text;
use crate::range_function::quantile_of;
use crate::syntax::{Aggregate, SourceSpan};
use crate::value::{Column, Series, Vector, is_absent};
use crate::{Grid, QueryError, SampleValue};

/// The quantile of each group at each step.
pub(super) fn quantile(
    context: &Context<'_>,
    phi: &[f64],
    vector: &Vector,
    groups: Groups,
    inner: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let mut columns = Vec::with_capacity(groups.len());
    let mut ignored = false;
    let mut values = Vec::new();
    for members in groups.members() {
        context.check()?;
        let mut out = Column::absent(grid.len());
        for (step, phi) in phi.iter().enumerate() {
            values.clear();
            for column in members.iter().map(|position| &vector.series[*position].column) {
                ignored |= column.histogram(step).is_some();
                values.extend(Some(column.floats[step]).filter(|value| !is_absent(*value)));
            }
            if !values.is_empty() {
                out.floats[step] = quantile_of(*phi, &mut values);
            }
        }
        columns.push(out);
    }
    if ignored {
        context.inform(inner, "ignored histogram in quantile aggregation");
    }
    Ok(of_groups(&groups, columns))
}

/// How many series of each group have each value; the value becomes a label.
pub(super) fn count_values(
    context: &Context<'_>,
    aggregate: &Aggregate,
    label: &str,
    vector: &Vector,
    grid: Grid,
) -> Result<Vector, QueryError> {
    if label.is_empty() {
        return Err(QueryError::execution(format!("invalid label name {label:?}")));
    }
    let mut grouping = aggregate.grouping.clone();
    if aggregate.without {
        grouping.push(label.to_owned());
    }
    let groups = Groups::of(
        Labelled::Series(&vector.series),
        &grouping,
        aggregate.without,
        false,
    )?;
    let mut found: HashMap<Arc<Labels>, usize> = HashMap::new();
    let mut all: Vec<Series> = Vec::new();
    // One value often follows itself, so its text and labels are not made anew for each step.
    for (position, series) in vector.series.iter().enumerate() {
        context.check()?;
        let group = &groups.labels()[groups.of_position(position)];
        let mut last: Option<(u64, usize)> = None;
        for step in 0..grid.len() {
            let Some(value) = series.column.get(step) else {
                continue;
            };
            let bits = match &value {
                SampleValue::Float(float) => Some(float.to_bits()),
                SampleValue::Histogram(_) => None,
            };
            let place = match last {
                Some((seen, place)) if Some(seen) == bits => place,
                _ => {
                    let text = match &value {
                        SampleValue::Float(float) => float_text(*float),
                        SampleValue::Histogram(histogram) => histogram.to_string(),
                    };
                    let mut builder = group.to_builder();
                    builder.set(label, &text);
                    let labels = Arc::new(builder.build().unwrap_or_default());
                    *found.entry(labels).or_insert_with_key(|labels| {
                        let column = Column::absent(grid.len());
                        all.push(Series {
                            labels: Arc::clone(labels),
                            column,
                        });
                        all.len() - 1
                    })
                }
            };
            last = bits.map(|bits| (bits, place));
            let count = &mut all[place].column.floats[step];
            *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
        }
    }
    Ok(Vector::of(all))
}
