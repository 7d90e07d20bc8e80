//! `and`, `or`, `unless`: which series stay, by whether the other side has their labels at the same step.

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::QueryError;
use crate::syntax::{BinaryOp, VectorMatching};
use crate::value::{LabelSelection, Series, Vector};

/// The steps at which any series of a group has a sample, by the number of its labels.
type Presence = HashMap<u128, Vec<bool>>;

/// Series whose keys are worth a second thread.
const SERIES_PER_THREAD: usize = 1 << 11;

/// The left series where the right side has their labels (`and`), or has not (`unless`).
pub(super) fn filter(op: BinaryOp, matching: &VectorMatching, mut left: Vector, right: &Vector) -> Vector {
    let selection = selection(matching);
    let mut other = Presence::with_capacity(right.series.len());
    enter(&mut other, right, &keys(right, &selection));
    let wanted = op == BinaryOp::And;
    let keys = keys(&left, &selection);
    for (Series { column, .. }, key) in left.series.iter_mut().zip(keys) {
        let steps = other.get(&key);
        for step in 0..column.len() {
            if column.has(step) && steps.is_some_and(|steps| steps[step]) != wanted {
                column.clear(step);
            }
        }
    }
    left.drop_empty();
    left
}

/// All series of some sides, each where no side before it has its labels (`or`). A long chain of sides is gone through
/// once: what is there is not looked at again for each side.
pub(super) fn unite<S>(
    matching: &VectorMatching,
    sides: &[S],
    eval: impl Fn(&S) -> Result<Vector, QueryError>,
) -> Result<Vector, QueryError> {
    let selection = selection(matching);
    let mut all = Vector::default();
    let mut before = Presence::new();
    let mut meet = false;
    for (i, side) in sides.iter().enumerate() {
        let mut side = eval(side)?;
        let keys = keys(&side, &selection);
        for (Series { column, .. }, key) in side.series.iter_mut().zip(&keys) {
            let Some(steps) = before.get(key) else {
                continue;
            };
            meet = true;
            for (step, _) in steps.iter().enumerate().filter(|(_, is_taken)| **is_taken) {
                if column.has(step) {
                    column.clear(step);
                }
            }
        }
        if i + 1 < sides.len() {
            enter(&mut before, &side, &keys);
        }
        all.series.append(&mut side.series);
        all.holds.append(&mut side.holds);
    }
    // Series with the same labels have the same key.
    if meet {
        all.unite()?;
    }
    all.drop_empty();
    Ok(all)
}

fn selection(matching: &VectorMatching) -> LabelSelection {
    if matching.on {
        LabelSelection::only(&matching.labels)
    } else {
        LabelSelection::without(&matching.labels)
    }
}

/// The number of each series' labels.
fn keys(vector: &Vector, selection: &LabelSelection) -> Vec<u128> {
    let series = vector.series.par_iter().with_min_len(SERIES_PER_THREAD);
    series
        .map_init(Vec::new, |scratch, series| selection.key(&series.labels, scratch))
        .collect()
}

/// Adds the steps of a vector, given its keys.
fn enter(presence: &mut Presence, vector: &Vector, keys: &[u128]) {
    for (Series { column, .. }, key) in vector.series.iter().zip(keys) {
        let steps = presence.entry(*key).or_insert_with(|| vec![false; column.len()]);
        for (step, is_present) in steps.iter_mut().enumerate() {
            *is_present |= column.has(step);
        }
    }
}
