//! Which series belong together.

use std::sync::Arc;

use barograph_engine::SeriesSet;
use barograph_model::{Labels, LabelsBuilder, METRIC_NAME};
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_128;

use crate::QueryError;
use crate::value::Series;

/// Labels by position, from a vector or from a store's set that has not read them yet.
#[derive(Clone, Copy)]
pub(super) enum Labelled<'a> {
    Set(&'a SeriesSet),
    Series(&'a [Series]),
}

impl Labelled<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Set(set) => set.len(),
            Self::Series(series) => series.len(),
        }
    }

    fn labels(&self, position: usize) -> Result<Arc<Labels>, QueryError> {
        match self {
            Self::Set(set) => Ok(set.labels(position)?),
            Self::Series(series) => Ok(Arc::clone(&series[position].labels)),
        }
    }

    /// Whether these labels are known without reading any.
    fn knows(&self, names: &[String]) -> bool {
        let known = |name: &String| matches!(name.as_str(), METRIC_NAME | "job" | "instance");
        matches!(self, Self::Set(_)) && names.iter().all(known)
    }
}

/// The group of each position, and the labels of each group in the order in which they were met.
#[derive(Debug)]
pub(super) struct Groups {
    of_position: Vec<u32>,
    labels: Vec<Arc<Labels>>,
}

impl Groups {
    /// Puts together what agrees in the labels named, or in all others with `without`, which never keeps the metric's name.
    /// `drops_name` says that the series have lost it already, whatever their labels say.
    pub(super) fn of(
        series: Labelled<'_>,
        grouping: &[String],
        without: bool,
        drops_name: bool,
    ) -> Result<Self, QueryError> {
        let mut names: Vec<&str> = grouping.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        if !without && drops_name {
            names.retain(|name| *name != METRIC_NAME);
        }
        if !without && names.is_empty() {
            return Ok(Self {
                of_position: vec![0; series.len()],
                labels: vec![Arc::default(); usize::from(series.len() > 0)],
            });
        }
        let mut groups = Self {
            of_position: Vec::with_capacity(series.len()),
            labels: Vec::new(),
        };
        let mut found: HashMap<u128, u32> = HashMap::new();
        let mut key = Vec::new();
        let knows = !without && series.knows(grouping);
        for position in 0..series.len() {
            key.clear();
            let all;
            let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(names.len());
            match series {
                Labelled::Set(set) if knows => {
                    let known = names
                        .iter()
                        .map(|name| (*name, set.known_label(position, name).unwrap_or("")));
                    pairs.extend(known);
                }
                _ => {
                    all = series.labels(position)?;
                    if without {
                        let kept = all
                            .iter()
                            .filter(|(name, _)| *name != METRIC_NAME && names.binary_search(name).is_err());
                        pairs.extend(kept);
                    } else {
                        pairs.extend(names.iter().map(|name| (*name, all.get(name))));
                    }
                }
            }
            for text in pairs.iter().flat_map(|(name, value)| [*name, *value]) {
                key.extend_from_slice(&(text.len() as u32).to_le_bytes());
                key.extend_from_slice(text.as_bytes());
            }
            let group = *found.entry(xxh3_128(&key)).or_insert_with(|| {
                groups.labels.push(Arc::new(of_pairs(&pairs)));
                groups.labels.len() as u32 - 1
            });
            groups.of_position.push(group);
        }
        Ok(groups)
    }

    /// How many groups.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The group of a position.
    pub(super) fn of_position(&self, position: usize) -> usize {
        self.of_position[position] as usize
    }

    /// The labels of each group.
    pub(super) fn labels(&self) -> &[Arc<Labels>] {
        &self.labels
    }

    /// The positions of each group, ascending.
    pub(super) fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.len()];
        for (position, group) in self.of_position.iter().enumerate() {
            members[*group as usize].push(position);
        }
        members
    }
}

fn of_pairs(pairs: &[(&str, &str)]) -> Labels {
    let mut builder = LabelsBuilder::default();
    for (name, value) in pairs {
        builder.push(name, value);
    }
    // Names come from a label set or from a list without repeats, so this cannot fail.
    builder.build().unwrap_or_default()
}
