//! Which series a detector watches, read back from the labels of its verdicts.

use std::collections::HashMap;

use barograph_engine::{SeriesSet, Snapshot};
use barograph_model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher, TimeRange};
use datafusion::common::{DataFusionError, Result};

use crate::sql::error::store_error;

/// The five series of a verdict, in the order in which they are stored (by metric).
pub(crate) const LANES: [&str; 5] = [
    "barograph_detector_anomaly",
    "barograph_detector_expected",
    "barograph_detector_lower",
    "barograph_detector_score",
    "barograph_detector_upper",
];
/// Positions in [`LANES`].
pub(crate) const ANOMALY: usize = 0;
pub(crate) const EXPECTED: usize = 1;
pub(crate) const LOWER: usize = 2;
pub(crate) const SCORE: usize = 3;
pub(crate) const UPPER: usize = 4;

/// One detector over one series.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// The watched series as a selector.
    pub(crate) series: String,
    /// The detector's configured name.
    pub(crate) detector: String,
    /// The series of its verdicts by lane, as positions in the set.
    pub(crate) lanes: [Option<usize>; 5],
}

/// The series of all verdicts in storage order, and all detectors over all series they have verdicts for, in the order
/// of the scores.
pub(crate) fn watched(snapshot: &Snapshot) -> Result<(SeriesSet, Vec<Watched>)> {
    // The names hold nothing that an expression would take for more than itself.
    let metrics = Matcher::new(METRIC_NAME, MatchOp::Regex, &LANES.join("|"))
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    let set = snapshot.select(&[metrics], TimeRange::ALL).map_err(store_error)?;
    let mut by_lane: [Vec<(usize, Labels)>; 5] = Default::default();
    for position in 0..set.len() {
        let labels = set.labels(position).map_err(store_error)?;
        if let Some(lane) = LANES.iter().position(|metric| *metric == labels.metric()) {
            by_lane[lane].push((position, labels.without_metric()));
        }
    }
    let mut all: Vec<Watched> = Vec::new();
    let mut by_labels: HashMap<Labels, usize> = HashMap::new();
    for (_, labels) in &by_lane[SCORE] {
        by_labels.entry(labels.clone()).or_insert_with_key(|labels| {
            let (series, detector) = read_back(labels);
            all.push(Watched {
                series,
                detector,
                lanes: [None; 5],
            });
            all.len() - 1
        });
    }
    for (lane, series) in by_lane.iter().enumerate() {
        for (position, labels) in series {
            if let Some(index) = by_labels.get(labels) {
                all[*index].lanes[lane] = Some(*position);
            }
        }
    }
    Ok((set, all))
}

/// The watched series and the detector behind the labels of a verdict.
fn read_back(labels: &Labels) -> (String, String) {
    let mut watched = LabelsBuilder::default();
    for (name, value) in labels.iter() {
        match name {
            "metric" => watched.set(METRIC_NAME, value),
            "detector" => &mut watched,
            "exported_metric" => watched.set("metric", value),
            "exported_detector" => watched.set("detector", value),
            name => watched.set(name, value),
        };
    }
    let series = watched.build().unwrap_or_default().to_selector();
    (series, labels.get("detector").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watched_series_is_read_back() {
        let labels = Labels::from_pairs([
            ("metric", "up"),
            ("detector", "daily"),
            ("job", "a"),
            ("exported_metric", "m"),
            ("exported_detector", "d"),
        ]);
        let (series, detector) = read_back(&labels.unwrap());
        assert_eq!(series, r#"up{detector="d", job="a", metric="m"}"#);
        assert_eq!(detector, "daily");
    }
}
