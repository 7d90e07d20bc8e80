//! Aggregations that take one value after the other: an accumulator for each group and step.

use std::sync::Arc;

use hashbrown::HashMap;

use super::grouping::Groups;
use super::of_groups;
use crate::QueryError;
use crate::eval::Context;
use crate::histogram::{FloatHistogram, Reconciled, annotation};
use crate::range_function::{Spread, Sum};
use crate::syntax::{AggregateOp, SourceSpan};
use crate::value::{ABSENT, Column, Vector, is_absent};

/// Sums beyond this are kept divided by [`SCALE`], so that a mean of huge values is finite.
const SCALE: f64 = 18_446_744_073_709_551_616.0;

/// The accumulators of one aggregation. A cell is a group and a step.
#[derive(Debug)]
pub(super) struct Fold {
    op: AggregateOp,
    steps: usize,
    cells: Cells,
    histograms: HashMap<usize, Histograms>,
    /// whether a histogram was met by an aggregation that has no use for it
    ignored_histograms: bool,
}

/// Floats of all cells.
#[derive(Debug)]
enum Cells {
    /// `sum`, `avg`: the sum, how many, and whether it is kept divided
    Sums(Vec<Sum>, Vec<f64>, Vec<bool>),
    /// `count`, `group`
    Counts(Vec<f64>),
    /// `min`, `max`
    Extremes(Vec<f64>),
    /// `stddev`, `stdvar`
    Spreads(Vec<Spread>),
}

/// The histograms of a cell of `sum` or `avg`.
#[derive(Debug)]
struct Histograms {
    sum: FloatHistogram,
    count: f64,
    /// whether some have exponential buckets and some custom bounds, and cannot be added
    are_mixed: bool,
    /// what the additions had to settle
    reconciled: Reconciled,
}

impl Histograms {
    fn of(histogram: &FloatHistogram) -> Self {
        Self {
            sum: histogram.clone(),
            count: 1.0,
            are_mixed: false,
            reconciled: Reconciled::default(),
        }
    }

    fn add(&mut self, histogram: &FloatHistogram, count: f64) {
        self.count += count;
        match self.sum.add(histogram) {
            Ok(reconciled) => {
                self.reconciled.reset_collision |= reconciled.reset_collision;
                self.reconciled.bounds |= reconciled.bounds;
            }
            Err(_) => self.are_mixed = true,
        }
    }

    fn merge(&mut self, other: Self) {
        self.are_mixed |= other.are_mixed;
        self.reconciled.reset_collision |= other.reconciled.reset_collision;
        self.reconciled.bounds |= other.reconciled.bounds;
        self.add(&other.sum, other.count);
    }

    fn finish(mut self, op: AggregateOp) -> FloatHistogram {
        if op == AggregateOp::Avg {
            self.sum.divide(self.count);
        }
        self.sum.compact();
        self.sum
    }
}

impl Fold {
    /// What a cell takes at most.
    pub(super) const BYTES_PER_CELL: usize = size_of::<Spread>();

    pub(super) fn new(op: AggregateOp, groups: usize, steps: usize) -> Self {
        use AggregateOp as Op;
        let len = groups * steps;
        let cells = match op {
            Op::Count | Op::Group => Cells::Counts(vec![0.0; len]),
            Op::Min | Op::Max => Cells::Extremes(vec![ABSENT; len]),
            Op::Stddev | Op::Stdvar => Cells::Spreads(vec![Spread::default(); len]),
            _ => Cells::Sums(vec![Sum::default(); len], vec![0.0; len], vec![false; len]),
        };
        Self {
            op,
            steps,
            cells,
            histograms: HashMap::new(),
            ignored_histograms: false,
        }
    }

    /// Adds a column to a group.
    pub(super) fn add(&mut self, group: usize, column: &Column) {
        let start = group * self.steps;
        let cells = start..start + self.steps;
        let present = column
            .floats
            .iter()
            .enumerate()
            .filter(|(_, value)| !is_absent(**value));
        match &mut self.cells {
            Cells::Sums(sums, counts, divided) => {
                let (sums, counts, divided) = (
                    &mut sums[cells.clone()],
                    &mut counts[cells.clone()],
                    &mut divided[cells],
                );
                for (step, value) in present {
                    counts[step] += 1.0;
                    add_to(
                        &mut sums[step],
                        &mut divided[step],
                        *value,
                        self.op == AggregateOp::Avg,
                    );
                }
            }
            Cells::Counts(counts) => {
                let counts = &mut counts[cells];
                present.for_each(|(step, _)| counts[step] += 1.0);
            }
            Cells::Extremes(extremes) => {
                let extremes = &mut extremes[cells];
                present.for_each(|(step, value)| extreme(self.op, &mut extremes[step], *value));
            }
            Cells::Spreads(spreads) => {
                let spreads = &mut spreads[cells];
                present.for_each(|(step, value)| spreads[step].add(*value));
            }
        }
        if let Some(histograms) = &column.histograms {
            for (step, histogram) in histograms.iter().enumerate() {
                if let Some(histogram) = histogram {
                    self.add_histogram(start + step, histogram);
                }
            }
        }
    }

    fn add_histogram(&mut self, cell: usize, histogram: &Arc<FloatHistogram>) {
        match &mut self.cells {
            Cells::Counts(counts) => counts[cell] += 1.0,
            Cells::Extremes(_) | Cells::Spreads(_) => self.ignored_histograms = true,
            Cells::Sums(..) => match self.histograms.get_mut(&cell) {
                Some(found) => found.add(histogram, 1.0),
                None => {
                    self.histograms.insert(cell, Histograms::of(histogram));
                }
            },
        }
    }

    /// Both together; `other` has seen what came later.
    pub(super) fn merge(mut self, other: Self) -> Self {
        match (&mut self.cells, other.cells) {
            (Cells::Sums(sums, counts, divided), Cells::Sums(more_sums, more_counts, more_divided)) => {
                for cell in 0..sums.len() {
                    if more_counts[cell] == 0.0 {
                        continue;
                    }
                    counts[cell] += more_counts[cell];
                    let mut more = more_sums[cell];
                    if divided[cell] != more_divided[cell] {
                        let whole = if divided[cell] { &mut more } else { &mut sums[cell] };
                        divide(whole);
                        divided[cell] = true;
                    }
                    let merged = sums[cell].merge(more);
                    let overflows = self.op == AggregateOp::Avg
                        && merged.sum.is_infinite()
                        && sums[cell].sum.is_finite()
                        && more.sum.is_finite();
                    if overflows && !divided[cell] {
                        divide(&mut sums[cell]);
                        divide(&mut more);
                        divided[cell] = true;
                        sums[cell] = sums[cell].merge(more);
                    } else {
                        sums[cell] = merged;
                    }
                }
            }
            (Cells::Counts(counts), Cells::Counts(more)) => {
                counts
                    .iter_mut()
                    .zip(more)
                    .for_each(|(count, more)| *count += more);
            }
            (Cells::Extremes(extremes), Cells::Extremes(more)) => {
                for (found, value) in extremes
                    .iter_mut()
                    .zip(more)
                    .filter(|(_, value)| !is_absent(*value))
                {
                    extreme(self.op, found, value);
                }
            }
            (Cells::Spreads(spreads), Cells::Spreads(more)) => {
                spreads
                    .iter_mut()
                    .zip(&more)
                    .for_each(|(spread, more)| spread.merge(more));
            }
            // Both were made for the same aggregation.
            _ => {}
        }
        for (cell, more) in other.histograms {
            match self.histograms.get_mut(&cell) {
                Some(found) => found.merge(more),
                None => {
                    self.histograms.insert(cell, more);
                }
            }
        }
        self.ignored_histograms |= other.ignored_histograms;
        self
    }

    /// The vector of all groups. `inner` is where the aggregated expression stands.
    pub(super) fn finish(
        self,
        context: &Context<'_>,
        span: SourceSpan,
        inner: SourceSpan,
        groups: &Groups,
    ) -> Result<Vector, QueryError> {
        if self.ignored_histograms {
            let text = format!("ignored histogram in {} aggregation", self.op.as_str());
            context.inform(inner, &text);
        }
        let floats = self.floats();
        let of_group = |group: usize| Column::of_floats(floats[group * self.steps..][..self.steps].to_vec());
        let mut columns: Vec<Column> = (0..groups.len()).map(of_group).collect();
        for (cell, histograms) in self.histograms {
            let (column, step) = (&mut columns[cell / self.steps], cell % self.steps);
            context.note_reconciled(span, histograms.reconciled, annotation::AGGREGATION);
            if column.has(step) {
                column.clear(step);
                context.warn(
                    inner,
                    "encountered a mix of histograms and floats for aggregation",
                );
            } else if histograms.are_mixed {
                context.warn(inner, &format!("{} \"\"", annotation::MIXED_SCHEMAS));
            } else {
                column.set_histogram(step, Arc::new(histograms.finish(self.op)));
            }
        }
        Ok(of_groups(groups, columns))
    }

    /// The value of each cell.
    fn floats(&self) -> Vec<f64> {
        match &self.cells {
            Cells::Sums(sums, counts, divided) => {
                let cells = sums.iter().zip(counts).zip(divided);
                cells
                    .map(|((sum, count), divided)| match (*count, self.op) {
                        (0.0, _) => ABSENT,
                        (count, AggregateOp::Avg) if *divided => sum.value() / count * SCALE,
                        (count, AggregateOp::Avg) if !sum.sum.is_infinite() => {
                            sum.sum / count + sum.lost / count
                        }
                        _ => sum.value(),
                    })
                    .collect()
            }
            Cells::Counts(counts) => {
                let is_group = self.op == AggregateOp::Group;
                let value = |count: &f64| match *count {
                    0.0 => ABSENT,
                    _ if is_group => 1.0,
                    count => count,
                };
                counts.iter().map(value).collect()
            }
            Cells::Extremes(extremes) => extremes.clone(),
            Cells::Spreads(spreads) => {
                let is_deviation = self.op == AggregateOp::Stddev;
                let value = |spread: &Spread| match (spread.count, is_deviation) {
                    (0.0, _) => ABSENT,
                    (_, true) => spread.variance().sqrt(),
                    (_, false) => spread.variance(),
                };
                spreads.iter().map(value).collect()
            }
        }
    }
}

/// Adds to a sum, which of an average is divided before it overflows.
#[inline]
fn add_to(sum: &mut Sum, divided: &mut bool, value: f64, is_average: bool) {
    if *divided {
        sum.add(value / SCALE);
        return;
    }
    let before = *sum;
    sum.add(value);
    if is_average && sum.sum.is_infinite() && before.sum.is_finite() && value.is_finite() {
        *sum = before;
        divide(sum);
        sum.add(value / SCALE);
        *divided = true;
    }
}

fn divide(sum: &mut Sum) {
    sum.sum /= SCALE;
    sum.lost /= SCALE;
}

/// NaN gives way to anything.
#[inline]
fn extreme(op: AggregateOp, found: &mut f64, value: f64) {
    let takes_over = found.is_nan()
        || match op {
            AggregateOp::Min => value < *found,
            _ => value > *found,
        };
    if takes_over {
        // An ordinary NaN must not look like a cell that nothing was added to.
        *found = if value.is_nan() { f64::NAN } else { value };
    }
}
