//! Aggregations at an instant.

use barograph_model::{Labels, METRIC_NAME};

use super::range::quantile;
use super::{Fails, Instants, Reference, Value};
use crate::syntax::{Aggregate, AggregateOp, Expr};

impl Reference<'_> {
    pub(super) fn aggregate(&self, aggregation: &Aggregate, at: i64) -> Result<Value, Fails> {
        use AggregateOp as Op;
        let mut groups: Vec<(Labels, Instants)> = Vec::new();
        for (labels, value) in self.vector(&aggregation.expr, at)? {
            let group = group_of(&labels, aggregation);
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, members)) => members.push((labels, value)),
                None => groups.push((group, vec![(labels, value)])),
            }
        }
        let parameter = |param: &Option<Expr>| match param {
            Some(param) => self.scalar(param, at),
            None => Ok(f64::NAN),
        };
        let mut out = Instants::new();
        for (group, mut members) in groups {
            let values: Vec<f64> = members.iter().map(|(_, value)| *value).collect();
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let variance = values
                .iter()
                .map(|value| (value - mean) * (value - mean))
                .sum::<f64>()
                / count;
            let value = match aggregation.op {
                Op::Sum => values.iter().sum(),
                Op::Avg => mean,
                Op::Count => count,
                Op::Group => 1.0,
                Op::Min => values.iter().copied().fold(f64::NAN, f64::min),
                Op::Max => values.iter().copied().fold(f64::NAN, f64::max),
                Op::Stdvar => variance,
                Op::Stddev => variance.sqrt(),
                Op::Quantile => quantile(parameter(&aggregation.param)?, &values),
                Op::Topk | Op::Bottomk => {
                    let is_top = aggregation.op == Op::Topk;
                    members.sort_by(|(_, a), (_, b)| match (a.is_nan(), b.is_nan()) {
                        (false, false) if is_top => b.total_cmp(a),
                        (false, false) => a.total_cmp(b),
                        (a, b) => a.cmp(&b),
                    });
                    members.truncate(parameter(&aggregation.param)? as usize);
                    out.extend(members);
                    continue;
                }
                other => panic!("{other:?} is not asked for"),
            };
            out.push((group, value));
        }
        Ok(Value::Vector(out))
    }
}

fn group_of(labels: &Labels, aggregation: &Aggregate) -> Labels {
    let is_named = |name: &str| aggregation.grouping.iter().any(|named| named == name);
    let kept = labels.iter().filter(|(name, _)| {
        if aggregation.without {
            !is_named(name) && *name != METRIC_NAME
        } else {
            is_named(name)
        }
    });
    Labels::from_pairs(kept).unwrap()
}
