//! The buckets of one sign: which there are, and what is in each.
//!
//! Indexes ascend strictly; each has one cell. Empty buckets may stand among them, as in the samples of a program that
//! counts nothing there any more. The indexes are shared between the histograms that are made from one another, since
//! nearly all operations keep them.

use std::sync::Arc;

use barograph_model::Span;

use super::cell::{Addend, Cell};

/// The buckets of one sign.
#[derive(Debug, Clone)]
pub(super) struct Side<C> {
    indexes: Arc<[i32]>,
    cells: Vec<C>,
}

impl<C> Default for Side<C> {
    fn default() -> Self {
        Self {
            indexes: Arc::default(),
            cells: Vec::new(),
        }
    }
}

impl<C: Cell> Side<C> {
    /// The buckets that checked spans name. Shares the indexes of `neighbour` where they are the same. A count without
    /// a span, and a span without counts, is left out.
    pub(super) fn from_spans(spans: &[Span], mut cells: Vec<C>, neighbour: &Self) -> Self {
        let named = || {
            let mut next = 0i64;
            let ranges = spans.iter().map(move |span| {
                let start = next + i64::from(span.offset);
                next = start + i64::from(span.length);
                start..next
            });
            ranges
                .flatten()
                .map_while(|index| i32::try_from(index).ok())
                .take(cells.len())
        };
        let indexes: Arc<[i32]> =
            if neighbour.len() == cells.len() && named().eq(neighbour.indexes.iter().copied()) {
                Arc::clone(&neighbour.indexes)
            } else {
                let mut indexes = Vec::with_capacity(cells.len());
                indexes.extend(named());
                indexes.into()
            };
        cells.truncate(indexes.len());
        Self { indexes, cells }
    }

    /// Buckets beside one another, from index `first` on, empty ones too. `None` where an index leaves 32 bits.
    pub(super) fn from_run(first: i32, cells: Vec<C>) -> Option<Self> {
        let end = i64::from(first) + cells.len() as i64;
        let end = i32::try_from(end).ok()?;
        Some(Self {
            indexes: (first..end).collect(),
            cells,
        })
    }

    /// The buckets that are not empty of those from index 0 on.
    pub(super) fn from_dense(cells: &[C]) -> Self {
        let filled = || (0..).zip(cells).filter(|(_, cell)| !cell.is_empty());
        Self {
            indexes: filled().map(|(index, _)| index).collect(),
            cells: filled().map(|(_, cell)| *cell).collect(),
        }
    }

    /// How many buckets, empty ones too.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Which buckets, ascending.
    pub(super) fn indexes(&self) -> &[i32] {
        &self.indexes
    }

    /// What is in each.
    pub(super) fn cells(&self) -> &[C] {
        &self.cells
    }

    /// What is in each, to be changed.
    pub(super) fn cells_mut(&mut self) -> &mut [C] {
        &mut self.cells
    }

    /// Each bucket, from the lowest index up.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, C)> + '_ {
        self.indexes.iter().copied().zip(self.cells.iter().copied())
    }

    /// Whether both have the same buckets, empty ones too.
    pub(super) fn has_layout_of<D>(&self, other: &Side<D>) -> bool {
        Arc::ptr_eq(&self.indexes, &other.indexes) || self.indexes == other.indexes
    }

    /// The same buckets with other cells.
    pub(super) fn map<D>(&self, change: impl FnMut(C) -> D) -> Side<D> {
        Side {
            indexes: Arc::clone(&self.indexes),
            cells: self.cells.iter().copied().map(change).collect(),
        }
    }

    /// Takes all buckets away.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the empty buckets away.
    pub(super) fn compact(&mut self) {
        if self.cells.iter().any(|cell| cell.is_empty()) {
            let filled = || self.iter().filter(|(_, cell)| !cell.is_empty());
            let indexes = filled().map(|(index, _)| index).collect();
            let cells = filled().map(|(_, cell)| cell).collect();
            *self = Self { indexes, cells };
        }
    }

    /// The buckets of a schema that is coarser by `steps`, each of which holds 2^`steps` of these, without the first
    /// `skipped` of these.
    pub(super) fn coarser<D: Cell>(&self, steps: u32, skipped: usize) -> Side<D>
    where
        C: Addend<D>,
    {
        let mut indexes: Vec<i32> = Vec::with_capacity(self.len());
        let mut cells: Vec<D> = Vec::with_capacity(self.len());
        for (index, cell) in self.iter().skip(skipped) {
            let index = coarser_index(index, steps);
            match cells.last_mut() {
                Some(last) if indexes.last() == Some(&index) => cell.add_to(last),
                _ => {
                    indexes.push(index);
                    cells.push(cell.into_cell());
                }
            }
        }
        Side {
            indexes: indexes.into(),
            cells,
        }
    }

    /// Adds the buckets of `other` but the first `skipped` of them, times `factor`. O(both), without an allocation
    /// where `other` has no bucket that is missing here.
    pub(super) fn add<D: Addend<C>>(&mut self, other: &Side<D>, skipped: usize, factor: f64) {
        if skipped == 0 && self.has_layout_of(other) {
            for (cell, addend) in self.cells.iter_mut().zip(&other.cells) {
                addend.times(factor).add_to(cell);
            }
            return;
        }
        let added = || {
            let pairs = other.indexes.iter().zip(&other.cells).skip(skipped);
            pairs.map(|(index, addend)| (*index, addend.times(factor)))
        };
        if self.has_all(&other.indexes[skipped.min(other.indexes.len())..]) {
            let mut place = 0;
            for (index, addend) in added() {
                while self.indexes[place] < index {
                    place += 1;
                }
                addend.add_to(&mut self.cells[place]);
            }
            return;
        }
        let room = self.len() + other.cells.len();
        let (mut indexes, mut cells) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut own = self.iter().peekable();
        for (index, addend) in added() {
            while let Some((own_index, cell)) = own.next_if(|(own_index, _)| *own_index < index) {
                indexes.push(own_index);
                cells.push(cell);
            }
            indexes.push(index);
            match own.next_if(|(own_index, _)| *own_index == index) {
                Some((_, mut cell)) => {
                    addend.add_to(&mut cell);
                    cells.push(cell);
                }
                None => cells.push(addend.into_cell()),
            }
        }
        for (own_index, cell) in own {
            indexes.push(own_index);
            cells.push(cell);
        }
        *self = Self {
            indexes: indexes.into(),
            cells,
        };
    }

    /// Whether every one of these ascending indexes is here.
    fn has_all(&self, indexes: &[i32]) -> bool {
        let mut own = self.indexes.iter();
        indexes
            .iter()
            .all(|index| own.by_ref().find(|own| *own >= index) == Some(index))
    }
}

/// The index of the bucket that holds bucket `index` in a schema coarser by `steps`.
pub(super) fn coarser_index(index: i32, steps: u32) -> i32 {
    // One more bit, because the lowest index of all has no predecessor in 32. The result is nearer to 0, so it fits.
    (((i64::from(index) - 1) >> steps) + 1) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(buckets: &[(i32, f64)]) -> Side<f64> {
        Side {
            indexes: buckets.iter().map(|b| b.0).collect(),
            cells: buckets.iter().map(|b| b.1).collect(),
        }
    }

    fn pairs(side: &Side<f64>) -> Vec<(i32, f64)> {
        side.iter().collect()
    }

    #[test]
    fn spans_name_the_buckets() {
        let span = |offset, length| Span { offset, length };
        let spans = [span(-2, 2), span(3, 0), span(1, 1)];
        let found = Side::from_spans(&spans, vec![1.0, 2.0, 3.0], &Side::default());
        assert_eq!(pairs(&found), [(-2, 1.0), (-1, 2.0), (4, 3.0)]);
        // Whatever the neighbour's buckets are, these are the spans'; they are shared only where they are the same.
        let neighbours = [
            (vec![], false),
            (vec![-2, -1, 4], true),
            (vec![-2, -1], false),
            (vec![-2, -1, 4, 5], false),
            (vec![-2, 0, 4], false),
            (vec![-3, -2, -1, 4], false),
        ];
        for (indexes, is_shared) in neighbours {
            let neighbour: Vec<(i32, f64)> = indexes.iter().map(|&index| (index, 9.0)).collect();
            let neighbour = side(&neighbour);
            let beside = Side::from_spans(&spans, vec![1.0, 2.0, 3.0], &neighbour);
            assert_eq!(pairs(&beside), pairs(&found), "{indexes:?}");
            assert_eq!(
                Arc::ptr_eq(&beside.indexes, &neighbour.indexes),
                is_shared,
                "{indexes:?}"
            );
        }
        let none = Side::<f64>::from_spans(&[], vec![], &found);
        assert_eq!(pairs(&none), []);
    }

    #[test]
    fn adding_keeps_the_order_whether_buckets_are_missing_or_not() {
        let cases = [
            (vec![], vec![], vec![]),
            (vec![(1, 1.0)], vec![], vec![(1, 1.0)]),
            (vec![], vec![(1, 1.0)], vec![(1, 1.0)]),
            (vec![(1, 1.0), (4, 2.0)], vec![(4, 3.0)], vec![(1, 1.0), (4, 5.0)]),
            (
                vec![(1, 1.0), (4, 2.0)],
                vec![(0, 5.0), (2, 6.0), (4, 7.0), (9, 8.0)],
                vec![(0, 5.0), (1, 1.0), (2, 6.0), (4, 9.0), (9, 8.0)],
            ),
        ];
        for (a, b, sum) in cases {
            let mut a = side(&a);
            a.add(&side(&b), 0, 1.0);
            assert_eq!(pairs(&a), sum, "adding {b:?}");
        }
    }

    #[test]
    fn skipped_buckets_are_not_added() {
        let mut a = side(&[(1, 1.0), (2, 1.0)]);
        a.add(&side(&[(1, 10.0), (2, 10.0)]), 1, -1.0);
        assert_eq!(pairs(&a), [(1, 1.0), (2, -9.0)]);
        a.add(&side(&[(1, 10.0)]), 1, 1.0);
        assert_eq!(pairs(&a), [(1, 1.0), (2, -9.0)]);
    }

    #[test]
    fn coarser_buckets_end_where_fine_ones_end() {
        let fine = side(&[
            (-3, 1.0),
            (-2, 2.0),
            (-1, 3.0),
            (0, 4.0),
            (1, 5.0),
            (2, 6.0),
            (3, 7.0),
        ]);
        let coarse: Side<f64> = fine.coarser(1, 0);
        assert_eq!(pairs(&coarse), [(-1, 3.0), (0, 7.0), (1, 11.0), (2, 7.0)]);
        let coarse: Side<f64> = fine.coarser(1, 4);
        assert_eq!(pairs(&coarse), [(1, 11.0), (2, 7.0)]);
        assert_eq!(coarser_index(i32::MIN, 12), i32::MIN >> 12);
        assert_eq!(coarser_index(i32::MAX, 1), (i32::MAX >> 1) + 1);
    }

    #[test]
    fn compaction_takes_empty_buckets_only() {
        let mut a = side(&[(1, 0.0), (2, 1.0), (3, -0.0), (4, f64::NAN)]);
        a.compact();
        assert_eq!(a.indexes(), [2, 4]);
    }
}
