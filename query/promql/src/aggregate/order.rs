//! `topk`, `bottomk`, `limitk` and `limit_ratio`: some series of each group, as they are.

use std::cmp::Ordering;

use xxhash_rust::xxh3::xxh3_64;

use super::grouping::Groups;
use crate::eval::Context;
use crate::histogram::go_float;
use crate::syntax::{AggregateOp, SourceSpan};
use crate::value::{Vector, is_absent};
use crate::{Grid, QueryError};

/// `topk`, `bottomk` (best first) and `limitk` (first come): at each step at most `k` series of each group.
pub(super) fn first_k(
    context: &Context<'_>,
    op: AggregateOp,
    k: &[f64],
    mut vector: Vector,
    groups: &Groups,
    inner: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let counts: Vec<usize> = k.iter().map(|k| count(*k)).collect::<Result<_, _>>()?;
    let mut ignored = false;
    // At an instant the order of the answer is the order of the values.
    let mut order = Vec::with_capacity(vector.series.len());
    for members in groups.members() {
        context.check()?;
        for (step, count) in counts.iter().enumerate() {
            let mut present: Vec<(usize, f64)> = Vec::with_capacity(members.len());
            for position in &members {
                let column = &mut vector.series[*position].column;
                if op != AggregateOp::Limitk && column.histogram(step).is_some() {
                    ignored = true;
                    column.clear(step);
                } else if column.has(step) {
                    present.push((*position, column.floats[step]));
                }
            }
            if op == AggregateOp::Limitk {
                present.drain(..present.len().min(*count));
            } else {
                // Stable, so that of equal values the first series stay.
                present.sort_by(|a, b| rank(op, a.1, b.1));
                let kept = present.len().min(*count);
                if grid.len() == 1 {
                    order.extend(present[..kept].iter().map(|(position, _)| *position));
                }
                present.drain(..kept);
            }
            for (position, _) in present {
                vector.series[position].column.clear(step);
            }
        }
    }
    if ignored {
        context.inform(
            inner,
            &format!("ignored histogram in {} aggregation", op.as_str()),
        );
    }
    if grid.len() == 1 && op != AggregateOp::Limitk {
        let mut series: Vec<_> = vector.series.drain(..).map(Some).collect();
        vector.series = order
            .into_iter()
            .filter_map(|position| series[position].take())
            .collect();
    }
    vector.drop_empty();
    Ok(vector)
}

/// Best first; NaN is never better than anything.
fn rank(op: AggregateOp, a: f64, b: f64) -> Ordering {
    debug_assert!(!is_absent(a) && !is_absent(b));
    if a.is_nan() || b.is_nan() {
        return a.is_nan().cmp(&b.is_nan());
    }
    let by_value = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    if op == AggregateOp::Topk {
        by_value.reverse()
    } else {
        by_value
    }
}

fn count(k: f64) -> Result<usize, QueryError> {
    if k.is_nan() {
        return Err(QueryError::execution("Parameter value is NaN"));
    }
    if k >= i64::MAX as f64 || k <= i64::MIN as f64 {
        return Err(QueryError::execution(format!(
            "Scalar value {} overflows int64",
            go_float(k)
        )));
    }
    Ok(usize::try_from(k as i64).unwrap_or(0))
}

/// `limit_ratio`: the series whose labels fall into a share of all, the same ones at every query; a negative ratio gives
/// the rest. Prometheus draws by another hash, so the share is as large but not the same series.
pub(super) fn ratio(
    context: &Context<'_>,
    ratio: &[f64],
    at: SourceSpan,
    mut vector: Vector,
) -> Result<Vector, QueryError> {
    let mut capped = Vec::with_capacity(ratio.len());
    for ratio in ratio {
        if ratio.is_nan() {
            return Err(QueryError::execution("Ratio value is NaN"));
        }
        let within = ratio.clamp(-1.0, 1.0);
        if within != *ratio {
            let (got, within) = (go_float(*ratio), go_float(within));
            let text = format!("ratio value should be between -1 and 1, got {got}, capping to {within}");
            context.warn(at, &text);
        }
        capped.push(within);
    }
    for series in &mut vector.series {
        let place = xxh3_64(series.labels.to_string().as_bytes()) as f64 / u64::MAX as f64;
        for (step, ratio) in capped.iter().enumerate() {
            let is_in = (*ratio >= 0.0 && place < *ratio) || (*ratio < 0.0 && place >= 1.0 + ratio);
            if !is_in {
                series.column.clear(step);
            }
        }
    }
    vector.drop_empty();
    Ok(vector)
}
