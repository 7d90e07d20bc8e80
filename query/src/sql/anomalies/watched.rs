//! Which series a detector watches, read back from the labels of its verdicts.

use std::collections::HashMap;

use barograph_engine::{SeriesRef, Snapshot};
use barograph_model::{Labels, LabelsBuilder, METRIC_NAME, Matcher};

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
    /// The series of its verdicts, by lane.
    pub(crate) lanes: [Option<SeriesRef>; 5],
}

/// All detectors over all series they have verdicts for, in storage order of the scores, and the place of each
/// series of a verdict in storage order.
pub(crate) fn watched(snapshot: &Snapshot) -> (Vec<Watched>, HashMap<SeriesRef, usize>) {
    let mut all: Vec<Watched> = Vec::new();
    let mut by_labels: HashMap<Labels, usize> = HashMap::new();
    let mut places = HashMap::new();
    let found = LANES.map(|metric| snapshot.select(&[Matcher::equal(METRIC_NAME, metric)]));
    for series in found.iter().flatten() {
        places.insert(*series, places.len());
    }
    for series in &found[SCORE] {
        let labels = snapshot.labels(*series).without_metric();
        by_labels.entry(labels).or_insert_with_key(|labels| {
            let (series, detector) = read_back(labels);
            all.push(Watched {
                series,
                detector,
                lanes: [None; 5],
            });
            all.len() - 1
        });
    }
    for (lane, series) in found
        .iter()
        .enumerate()
        .flat_map(|(lane, found)| found.iter().map(move |s| (lane, s)))
    {
        if let Some(index) = by_labels.get(&snapshot.labels(*series).without_metric()) {
            all[*index].lanes[lane] = Some(*series);
        }
    }
    (all, places)
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
