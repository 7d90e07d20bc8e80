//! `and`, `or`, `unless`: which series stay, by whether the other side has their labels at the same step.

use hashbrown::HashMap;

use crate::QueryError;
use crate::syntax::{BinaryOp, VectorMatching};
use crate::value::{LabelSelection, Series, Vector};

/// The steps at which any series of a group has a sample, by the number of its labels.
type Presence = HashMap<u128, Vec<bool>>;

pub(super) fn combine(
    op: BinaryOp,
    matching: &VectorMatching,
    mut left: Vector,
    mut right: Vector,
) -> Result<Vector, QueryError> {
    let selection = if matching.on {
        LabelSelection::only(&matching.labels)
    } else {
        LabelSelection::without(&matching.labels)
    };
    match op {
        BinaryOp::And => {
            let other = presence(&right, &selection);
            keep(&mut left, &selection, |key, step| {
                other.get(&key).is_some_and(|steps| steps[step])
            });
        }
        BinaryOp::Unless => {
            let other = presence(&right, &selection);
            keep(&mut left, &selection, |key, step| {
                !other.get(&key).is_some_and(|steps| steps[step])
            });
        }
        _ => {
            let other = presence(&left, &selection);
            keep(&mut right, &selection, |key, step| {
                !other.get(&key).is_some_and(|steps| steps[step])
            });
            left.series.append(&mut right.series);
            left.holds.append(&mut right.holds);
            left.unite()?;
        }
    }
    left.drop_empty();
    Ok(left)
}

fn presence(vector: &Vector, selection: &LabelSelection) -> Presence {
    let mut presence = Presence::with_capacity(vector.series.len());
    let mut scratch = Vec::new();
    for Series { labels, column } in &vector.series {
        let key = selection.key(labels, &mut scratch);
        let steps = presence.entry(key).or_insert_with(|| vec![false; column.len()]);
        for (step, is_present) in steps.iter_mut().enumerate() {
            *is_present |= column.has(step);
        }
    }
    presence
}

fn keep(vector: &mut Vector, selection: &LabelSelection, stays: impl Fn(u128, usize) -> bool) {
    let mut scratch = Vec::new();
    for Series { labels, column } in &mut vector.series {
        let key = selection.key(labels, &mut scratch);
        for step in 0..column.len() {
            if column.has(step) && !stays(key, step) {
                column.clear(step);
            }
        }
    }
}
