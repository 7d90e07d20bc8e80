//! Two lists of custom bounds that are not the same: the bounds that both have, and the buckets between those.
//!
//! Since Prometheus 3.8 such histograms are put together on their common bounds instead of being refused.

use std::sync::Arc;

use super::{cell::Cell, side::Side};

/// Whether both lists have the same bounds.
pub(super) fn are_equal(a: &Arc<[f64]>, b: &Arc<[f64]>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// The bounds that are in both ascending lists.
pub(super) fn common(a: &[f64], b: &[f64]) -> Arc<[f64]> {
    let mut theirs = b.iter().copied().peekable();
    a.iter()
        .copied()
        .filter(|bound| {
            while theirs.next_if(|their| their < bound).is_some() {}
            theirs.next_if(|their| their == bound).is_some()
        })
        .collect()
}

/// Gives each bucket to the first of the buckets between `common` bounds that reaches as far.
pub(super) fn spread<C: Cell>(
    side: &Side<C>,
    bounds: &[f64],
    common: &[f64],
    mut give: impl FnMut(usize, C),
) {
    let mut place = 0;
    for (index, cell) in side.iter() {
        let bound = usize::try_from(index).ok().and_then(|index| bounds.get(index));
        place = match bound {
            Some(bound) => place + common[place..].partition_point(|common| common < bound),
            None => common.len(),
        };
        give(place, cell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_bounds_are_in_both_lists() {
        assert_eq!(*common(&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0]), [2.0, 3.0]);
        assert_eq!(*common(&[1.0, 2.0], &[]), [0.0; 0]);
        assert_eq!(*common(&[1.0, 5.0], &[2.0, 3.0]), [0.0; 0]);
        assert_eq!(*common(&[-1.0, 0.0, 7.0], &[-1.0, 7.0]), [-1.0, 7.0]);
    }

    #[test]
    fn buckets_go_where_their_upper_bound_lies() {
        let side = Side::from_run(0, vec![1.0, 2.0, 4.0, 8.0]).unwrap();
        let mut cells = [0.0; 3];
        spread(&side, &[1.0, 2.0, 3.0], &[2.0, 3.0], |place, count| {
            cells[place] += count;
        });
        assert_eq!(cells, [3.0, 4.0, 8.0]);
        let mut all = 0.0;
        spread(&side, &[1.0, 2.0, 3.0], &[], |place, count| {
            assert_eq!(place, 0);
            all += count;
        });
        assert_eq!(all, 15.0);
    }
}
