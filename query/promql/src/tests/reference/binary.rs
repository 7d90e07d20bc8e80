//! Operators at an instant.

use barograph_model::{Labels, METRIC_NAME};

use super::{Fails, Instants, Reference, Value, renamed, unique};
use crate::syntax::{Binary, BinaryOp, Cardinality, VectorMatching};

impl Reference<'_> {
    pub(super) fn binary(&self, operation: &Binary, at: i64) -> Result<Value, Fails> {
        let Binary { op, return_bool, .. } = operation;
        let drops_name = !op.is_comparison() || *return_bool;
        let rename = |vector: Instants| {
            if drops_name {
                renamed(vector)
            } else {
                Ok(Value::Vector(vector))
            }
        };
        match (self.eval(&operation.lhs, at)?, self.eval(&operation.rhs, at)?) {
            (Value::Scalar(a), Value::Scalar(b)) => Ok(Value::Scalar(calculate(*op, true, a, b).unwrap())),
            (Value::Vector(vector), Value::Scalar(b)) => {
                let of = |(labels, a)| Some((labels, calculate(*op, *return_bool, a, b)?));
                rename(vector.into_iter().filter_map(of).collect())
            }
            (Value::Scalar(a), Value::Vector(vector)) => {
                let of = |(labels, b)| {
                    let value = calculate(*op, *return_bool, a, b)?;
                    // A filter keeps the sample of the vector.
                    Some((labels, if drops_name { value } else { b }))
                };
                rename(vector.into_iter().filter_map(of).collect())
            }
            (Value::Vector(left), Value::Vector(right)) => {
                let matching = operation.matching.as_ref().unwrap();
                let vector = match op {
                    BinaryOp::And => keep(left, &right, matching, true),
                    BinaryOp::Unless => keep(left, &right, matching, false),
                    BinaryOp::Or => {
                        let others = keep(right, &left, matching, false);
                        unique(left.into_iter().chain(others).collect())?
                    }
                    _ => matched(operation, matching, left, right)?,
                };
                Ok(Value::Vector(vector))
            }
        }
    }
}

/// Those of a vector that have a match in the other, or have none.
fn keep(vector: Instants, other: &Instants, matching: &VectorMatching, with_match: bool) -> Instants {
    let has_match = |labels: &Labels| {
        other
            .iter()
            .any(|(of_other, _)| key(of_other, matching) == key(labels, matching))
    };
    vector
        .into_iter()
        .filter(|(labels, _)| has_match(labels) == with_match)
        .collect()
}

fn matched(
    operation: &Binary,
    matching: &VectorMatching,
    left: Instants,
    right: Instants,
) -> Result<Instants, Fails> {
    if left.is_empty() || right.is_empty() {
        // Nothing finds anything, so nobody looks whether it would be unique.
        return Ok(Instants::new());
    }
    let is_right_many = matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if is_right_many {
        (&right, &left)
    } else {
        (&left, &right)
    };
    for (i, (labels, _)) in one.iter().enumerate() {
        if one[..i]
            .iter()
            .any(|(other, _)| key(other, matching) == key(labels, matching))
        {
            return Err(Fails);
        }
    }
    let mut out = Instants::new();
    let mut used: Vec<Labels> = Vec::new();
    for (of_many, value) in many {
        let key_of_many = key(of_many, matching);
        let Some((of_one, other)) = one
            .iter()
            .find(|(labels, _)| key(labels, matching) == key_of_many)
        else {
            continue;
        };
        let (a, b) = if is_right_many {
            (*other, *value)
        } else {
            (*value, *other)
        };
        let Some(result) = calculate(operation.op, operation.return_bool, a, b) else {
            continue;
        };
        if matching.cardinality == Cardinality::OneToOne {
            if used.contains(&key_of_many) {
                return Err(Fails);
            }
            used.push(key_of_many);
        }
        out.push((result_labels(operation, matching, of_many, of_one), result));
    }
    unique(out)
}

fn result_labels(operation: &Binary, matching: &VectorMatching, many: &Labels, one: &Labels) -> Labels {
    let is_named = |name: &str| matching.labels.iter().any(|named| named == name);
    let drops_name = !operation.op.is_comparison() || operation.return_bool;
    let is_one_to_one = matching.cardinality == Cardinality::OneToOne;
    let kept = many.iter().filter(|(name, _)| {
        let is_dropped = drops_name && *name == METRIC_NAME;
        let is_unmatched = is_one_to_one && is_named(name) != matching.on;
        let is_replaced = matching.include.iter().any(|included| included == name);
        !is_dropped && !is_unmatched && !is_replaced
    });
    let included = matching.include.iter().map(|name| (name.as_str(), one.get(name)));
    Labels::from_pairs(kept.chain(included.filter(|(_, value)| !value.is_empty()))).unwrap()
}

/// The labels that are compared.
fn key(labels: &Labels, matching: &VectorMatching) -> Labels {
    let compared = labels.iter().filter(|(name, _)| {
        let is_named = matching.labels.iter().any(|named| named == name);
        if matching.on {
            is_named
        } else {
            !is_named && *name != METRIC_NAME
        }
    });
    Labels::from_pairs(compared).unwrap()
}

/// The value of an operator; `None` where a comparison filters.
fn calculate(op: BinaryOp, return_bool: bool, a: f64, b: f64) -> Option<f64> {
    let holds = match op {
        BinaryOp::Add => return Some(a + b),
        BinaryOp::Sub => return Some(a - b),
        BinaryOp::Mul => return Some(a * b),
        BinaryOp::Div => return Some(a / b),
        BinaryOp::Mod => return Some(a % b),
        BinaryOp::Pow => return Some(a.powf(b)),
        BinaryOp::Atan2 => return Some(a.atan2(b)),
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Less => a < b,
        BinaryOp::LessOrEqual => a <= b,
        BinaryOp::Greater => a > b,
        BinaryOp::GreaterOrEqual => a >= b,
        // No floats are left of a cut.
        BinaryOp::TrimUpper | BinaryOp::TrimLower => return None,
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => panic!("{op:?} has no value"),
    };
    if return_bool {
        Some(f64::from(u8::from(holds)))
    } else {
        holds.then_some(a)
    }
}
