//! Which series belong together.

use std::ops::Range;
use std::sync::Arc;

use barograph_engine::SeriesSet;
use barograph_model::{Labels, METRIC_NAME};
use hashbrown::HashMap;
use rayon::prelude::*;
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

/// Positions that are worth a second thread.
const POSITIONS_PER_THREAD: usize = 1 << 12;

/// The group of each position, and the labels of each group in the order in which they were met.
#[derive(Debug)]
pub(super) struct Groups {
    of_position: Vec<u32>,
    labels: Vec<Arc<Labels>>,
}

/// Which labels a group is made by.
struct By<'a> {
    /// sorted, each once
    names: Vec<&'a str>,
    without: bool,
    /// whether nothing but what a store's set knows is asked for
    is_known: bool,
}

/// The groups of some positions by themselves.
struct Part {
    groups: Groups,
    /// the hash of what makes each group
    hashes: Vec<u128>,
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
        let by = By {
            names,
            without,
            is_known: !without && series.knows(grouping),
        };
        if series.len() < 2 * POSITIONS_PER_THREAD {
            return Ok(Part::of(series, 0..series.len(), &by)?.groups);
        }
        if let Labelled::Set(set) = series
            && !by.is_known
        {
            set.read_all_labels()?;
        }
        let starts = (0..series.len()).step_by(POSITIONS_PER_THREAD);
        let ranges: Vec<Range<usize>> = starts
            .map(|start| start..series.len().min(start + POSITIONS_PER_THREAD))
            .collect();
        let parts = ranges.into_par_iter().map(|range| Part::of(series, range, &by));
        Ok(Self::joined(&parts.collect::<Result<Vec<_>, _>>()?))
    }

    /// Parts that follow each other as one.
    fn joined(parts: &[Part]) -> Self {
        let mut all = Self {
            of_position: Vec::with_capacity(parts.iter().map(|part| part.groups.of_position.len()).sum()),
            labels: Vec::new(),
        };
        let mut found: HashMap<u128, u32> = HashMap::new();
        for part in parts {
            let groups = part.hashes.iter().zip(&part.groups.labels);
            let numbers: Vec<u32> = groups
                .map(|(hash, labels)| {
                    *found.entry(*hash).or_insert_with(|| {
                        all.labels.push(Arc::clone(labels));
                        all.labels.len() as u32 - 1
                    })
                })
                .collect();
            let of_part = part.groups.of_position.iter();
            all.of_position
                .extend(of_part.map(|group| numbers[*group as usize]));
        }
        all
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

impl Part {
    /// Puts together what agrees among some positions.
    fn of(series: Labelled<'_>, positions: Range<usize>, by: &By<'_>) -> Result<Self, QueryError> {
        let mut groups = Groups {
            of_position: Vec::with_capacity(positions.len()),
            labels: Vec::new(),
        };
        let mut hashes = Vec::new();
        let mut found: HashMap<u128, u32> = HashMap::new();
        let mut key = Vec::new();
        let names = &by.names;
        for position in positions {
            key.clear();
            let all;
            let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(names.len());
            match series {
                Labelled::Set(set) if by.is_known => {
                    let known = names
                        .iter()
                        .map(|name| (*name, set.known_label(position, name).unwrap_or("")));
                    pairs.extend(known);
                }
                _ => {
                    all = series.labels(position)?;
                    if by.without {
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
            let hash = xxh3_128(&key);
            let group = *found.entry(hash).or_insert_with(|| {
                // Names come from a label set or from a list without repeats, so this cannot fail.
                let labels = Labels::from_pairs(pairs.iter().copied()).unwrap_or_default();
                groups.labels.push(Arc::new(labels));
                hashes.push(hash);
                hashes.len() as u32 - 1
            });
            groups.of_position.push(group);
        }
        Ok(Self { groups, hashes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Column;

    #[test]
    fn parts_of_many_series_have_the_groups_of_the_whole() {
        let series: Vec<Series> = (0..3 * POSITIONS_PER_THREAD + 5)
            .map(|i| {
                let (a, b) = ((i % 7).to_string(), (i / 3 % 5000).to_string());
                let labels = Labels::from_pairs([("__name__", "m"), ("a", &a), ("b", &b)]).unwrap();
                Series {
                    labels: Arc::new(labels),
                    column: Column::absent(1),
                }
            })
            .collect();
        for (names, without) in [
            (&["a"][..], false),
            (&["b", "a", "c"], false),
            (&["b"], true),
            (&[], true),
        ] {
            let grouping: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let groups = Groups::of(Labelled::Series(&series), &grouping, without, true).unwrap();
            let mut met: Vec<Labels> = Vec::new();
            let mut numbers: HashMap<Labels, usize> = HashMap::new();
            for (position, series) in series.iter().enumerate() {
                let pairs = series.labels.iter();
                let kept = pairs.filter(|(name, _)| *name != METRIC_NAME && names.contains(name) != without);
                let labels = Labels::from_pairs(kept).unwrap();
                let number = *numbers.entry(labels.clone()).or_insert_with(|| {
                    met.push(labels);
                    met.len() - 1
                });
                assert_eq!(groups.of_position(position), number, "{names:?} {position}");
            }
            assert!(groups.labels().iter().map(AsRef::as_ref).eq(&met));
        }
    }
}
