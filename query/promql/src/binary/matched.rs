//! Arithmetic and comparisons between two vectors: series that agree in their matching labels find each other.

use std::sync::Arc;

use barograph_model::{Labels, METRIC_NAME};
use hashbrown::HashMap;

use super::elements::Operator;
use crate::eval::Context;
use crate::syntax::{Binary, Cardinality, Fill, SourceSpan, VectorMatching};
use crate::value::{ABSENT, Column, LabelSelection, SAME_LABELS, Series, Vector};
use crate::{Grid, QueryError};

/// Prometheus' message where `group_left` or `group_right` is missing.
const NOT_ONE_TO_ONE: &str =
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
/// Prometheus' message where `group_left` or `group_right` leaves series that look the same.
const NOT_UNIQUE: &str = "multiple matches for labels: grouping labels must ensure unique matches";

/// The two sides by their part in the matching. With `group_right` the many are on the right.
struct Sides<'a> {
    operator: Operator<'a>,
    matching: &'a VectorMatching,
    selection: LabelSelection,
    swapped: bool,
}

/// The series of both sides that have the same matching labels.
#[derive(Default)]
struct Group {
    many: Vec<usize>,
    one: Vec<usize>,
}

pub(super) fn combine(
    context: &Context<'_>,
    operation: &Binary,
    matching: &VectorMatching,
    span: SourceSpan,
    left: Vector,
    right: Vector,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let swapped = matching.cardinality == Cardinality::OneToMany;
    let selection = if matching.on {
        LabelSelection::only(&matching.labels)
    } else {
        LabelSelection::without(&matching.labels)
    };
    let sides = Sides {
        operator: Operator::new(context, operation, span),
        matching,
        selection,
        swapped,
    };
    let (many, one) = if swapped { (&right, &left) } else { (&left, &right) };
    let matched = sides.steps_with_matching(many, grid);
    let mut results = Results::new(matching.cardinality);
    for group in sides.groups(many, one) {
        context.check()?;
        sides.refuse_duplicates(&group, one, &matched)?;
        results.begin_group(&group, grid);
        sides.match_group(&group, many, one, grid, &mut results)?;
    }
    Ok(Vector::of(results.series))
}

impl Sides<'_> {
    /// All groups, in the order of the many side's series, then those of the one side alone.
    fn groups(&self, many: &Vector, one: &Vector) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<u128, usize> = HashMap::with_capacity(one.series.len());
        let mut scratch = Vec::new();
        for (is_many, side) in [(true, many), (false, one)] {
            for (i, series) in side.series.iter().enumerate() {
                let key = self.selection.key(&series.labels, &mut scratch);
                let place = *places.entry(key).or_insert_with(|| {
                    groups.push(Group::default());
                    groups.len() - 1
                });
                let group = &mut groups[place];
                if is_many {
                    group.many.push(i)
                } else {
                    group.one.push(i)
                }
            }
        }
        groups
    }

    /// The steps at which anything is matched: where the many side is empty, Prometheus does not look at the other.
    fn steps_with_matching(&self, many: &Vector, grid: Grid) -> Vec<bool> {
        let mut steps = vec![self.matching.fill != Fill::default(); grid.len()];
        for series in &many.series {
            for (step, is_matched) in steps.iter_mut().enumerate() {
                *is_matched |= series.column.has(step);
            }
        }
        steps
    }

    /// The one side may have only one series of a group at a step.
    fn refuse_duplicates(&self, group: &Group, one: &Vector, matched: &[bool]) -> Result<(), QueryError> {
        if group.one.len() < 2 {
            return Ok(());
        }
        let mut first: Vec<Option<usize>> = vec![None; matched.len()];
        for i in &group.one {
            let series = &one.series[*i];
            for (step, first) in first.iter_mut().enumerate() {
                if !matched[step] || !series.column.has(step) {
                    continue;
                }
                if let Some(before) = first.replace(*i) {
                    let matched = self.selection.labels(&series.labels);
                    let side = if self.swapped { "left" } else { "right" };
                    return Err(QueryError::execution(format!(
                        "found duplicate series for the match group {} on the {side} hand-side of the operation: \
                         [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                        in_braces(&matched),
                        in_braces(&series.labels),
                        in_braces(&one.series[before].labels),
                    )));
                }
            }
        }
        Ok(())
    }

    fn match_group(
        &self,
        group: &Group,
        many: &Vector,
        one: &Vector,
        grid: Grid,
        results: &mut Results,
    ) -> Result<(), QueryError> {
        for of_many in group.many.iter().map(|i| &many.series[*i]) {
            for of_one in group.one.iter().map(|i| &one.series[*i]) {
                let column = self.columns(&of_many.column, &of_one.column);
                results.add(column, || self.labels(&of_many.labels, &of_one.labels))?;
            }
        }
        let Fill { left, right } = self.matching.fill;
        let (fill_many, fill_one) = if self.swapped {
            (right, left)
        } else {
            (left, right)
        };
        if let Some(fill) = fill_one {
            let absent = missing(&group.one, one, grid, fill);
            for of_many in group.many.iter().map(|i| &many.series[*i]) {
                let column = self.columns(&of_many.column, &absent);
                results.add(column, || self.labels(&of_many.labels, &Labels::empty()))?;
            }
        }
        if let Some(fill) = fill_many {
            let absent = missing(&group.many, many, grid, fill);
            for of_one in group.one.iter().map(|i| &one.series[*i]) {
                let column = self.columns(&absent, &of_one.column);
                let matched = self.selection.labels(&of_one.labels);
                results.add(column, || self.labels(&matched, &of_one.labels))?;
            }
        }
        Ok(())
    }

    /// The operator on both columns, each on the side where the query has it.
    fn columns(&self, many: &Column, one: &Column) -> Column {
        if self.swapped {
            self.operator.columns(one, many)
        } else {
            self.operator.columns(many, one)
        }
    }

    /// What the result of two series is called.
    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let mut builder = many.to_builder();
        if self.operator.drops_name() {
            builder.remove(METRIC_NAME);
        }
        if self.matching.cardinality == Cardinality::OneToOne {
            if self.matching.on {
                let is_named = |name: &str| self.matching.labels.iter().any(|named| named == name);
                for (name, _) in many.iter().filter(|(name, _)| !is_named(name)) {
                    builder.remove(name);
                }
            } else {
                self.matching.labels.iter().for_each(|name| {
                    builder.remove(name);
                });
            }
        }
        for name in &self.matching.include {
            // Empty is absent, so a label that the one side lacks goes.
            builder.set(name, one.get(name));
        }
        builder.build().unwrap_or_default()
    }
}

/// A column with a value wherever no series of a group has a sample.
fn missing(group: &[usize], vector: &Vector, grid: Grid, fill: f64) -> Column {
    let mut column = Column::of_floats(vec![fill; grid.len()]);
    for other in group.iter().map(|i| &vector.series[*i].column) {
        for step in 0..grid.len() {
            if other.has(step) {
                column.floats[step] = ABSENT;
            }
        }
    }
    column
}

/// Results by their labels; two with the same labels must not meet at a step.
struct Results {
    cardinality: Cardinality,
    series: Vec<Series>,
    places: HashMap<Arc<Labels>, usize>,
    /// where the results of the group at hand begin
    group_start: usize,
    /// one to one, the steps at which the group at hand has a result; empty where it can have only one
    taken: Vec<bool>,
}

impl Results {
    fn new(cardinality: Cardinality) -> Self {
        Self {
            cardinality,
            series: Vec::new(),
            places: HashMap::new(),
            group_start: 0,
            taken: Vec::new(),
        }
    }

    fn begin_group(&mut self, group: &Group, grid: Grid) {
        self.group_start = self.series.len();
        self.taken.clear();
        if self.cardinality == Cardinality::OneToOne && group.many.len() > 1 {
            self.taken.resize(grid.len(), false);
        }
    }

    fn add(&mut self, column: Column, labels: impl FnOnce() -> Labels) -> Result<(), QueryError> {
        if column.is_empty() {
            return Ok(());
        }
        // Not by their labels: comparisons leave the names of metrics, by which two results may differ.
        for (_, taken) in self
            .taken
            .iter_mut()
            .enumerate()
            .filter(|(step, _)| column.has(*step))
        {
            if std::mem::replace(taken, true) {
                return Err(QueryError::execution(NOT_ONE_TO_ONE));
            }
        }
        let labels = Arc::new(labels());
        match self.places.get(&labels) {
            None => {
                self.places.insert(Arc::clone(&labels), self.series.len());
                self.series.push(Series { labels, column });
                Ok(())
            }
            Some(place) => self.series[*place].column.fill_from(&column).map_err(|_| {
                let is_of_group = *place >= self.group_start;
                QueryError::execution(if is_of_group { NOT_UNIQUE } else { SAME_LABELS })
            }),
        }
    }
}

/// Labels as Prometheus' messages show them: the metric's name among them, all in braces.
fn in_braces(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
