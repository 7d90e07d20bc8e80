//! Compares what was detected with what was labelled.

use barograph_model::{Labels, TimeRange, TimestampMs};
use serde::Serialize;

use crate::incident::Incident;

/// An interval during which something was held to be anomalous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// The series that a detector watched, or the labels of an alert, which may lack some.
    pub series: Labels,
    /// The first anomalous instant.
    pub start: TimestampMs,
    /// The last anomalous instant.
    pub end: TimestampMs,
}

/// An incident that was noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caught {
    /// Its place among the incidents given.
    pub incident: usize,
    /// The detections that noticed it, as places among the detections given.
    pub detections: Vec<usize>,
    /// From the incident's start to the start of the first detection; 0 where that was already under way.
    pub delay_ms: i64,
}

/// Which incidents were noticed and which detections are right.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Judgement {
    /// The incidents that a detection in one of their own series noticed within their window.
    pub caught: Vec<Caught>,
    /// The incidents that nobody noticed, as places among the incidents given.
    pub missed: Vec<usize>,
    /// Detections that are neither right nor false: in a window, in another series of a service that the incident
    /// touches; or in the time of grace after it, while a detector finds back to normal.
    pub consequences: Vec<usize>,
    /// Detections outside every window, or of services that no incident touched.
    pub false_alarms: Vec<usize>,
}

impl Judgement {
    /// False alarms a day over a span; 0 for an empty span.
    #[must_use]
    pub fn false_alarms_per_day(&self, span: TimeRange) -> f64 {
        let days = span.end.since(span.start) as f64 / 86_400_000.0;
        if days > 0.0 {
            self.false_alarms.len() as f64 / days
        } else {
            0.0
        }
    }
}

/// Judges detections by labels. Each detection counts once: for the first incident that it caught, else as a
/// consequence, else as a false alarm. After its end an incident still excuses detections for `grace_ms`, in which
/// it cannot be caught any more. O(incidents x detections).
#[must_use]
pub fn judge(incidents: &[Incident], detections: &[Detection], grace_ms: i64) -> Judgement {
    let mut judgement = Judgement::default();
    let mut caught: Vec<Vec<usize>> = vec![Vec::new(); incidents.len()];
    for (d, detection) in detections.iter().enumerate() {
        let during = TimeRange {
            start: detection.start,
            end: detection.end,
        };
        let catches = |i: &&Incident| {
            during.overlaps(&i.window()) && i.shows_in(&detection.series) && i.touches(&detection.series)
        };
        let excused = |incident: &Incident| {
            let end = incident.window().end.saturating_add(grace_ms);
            during.overlaps(&TimeRange {
                start: incident.start,
                end,
            }) && incident.touches(&detection.series)
        };
        if let Some(i) = incidents.iter().position(|incident| catches(&incident)) {
            caught[i].push(d);
        } else if incidents.iter().any(excused) {
            judgement.consequences.push(d);
        } else {
            judgement.false_alarms.push(d);
        }
    }
    for (incident, found) in caught.into_iter().enumerate() {
        match found.iter().map(|d| detections[*d].start).min() {
            Some(first) => {
                let delay_ms = first.since(incidents[incident].start).max(0);
                judgement.caught.push(Caught {
                    incident,
                    detections: found,
                    delay_ms,
                });
            }
            None => judgement.missed.push(incident),
        }
    }
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fleet, IncidentKind};

    fn detection(pairs: &[(&str, &str)], start: i64, end: i64) -> Detection {
        Detection {
            series: Labels::from_pairs(pairs.iter().copied()).unwrap(),
            start: TimestampMs(start),
            end: TimestampMs(end),
        }
    }

    #[test]
    fn sorts_detections_into_caught_consequence_and_false() {
        let now = TimestampMs(1_767_571_200_000);
        let fleet = Fleet::new(1, now.saturating_add(-14 * 86_400_000), now);
        let incidents = fleet.incidents();
        let at = incidents
            .iter()
            .position(|i| i.kind == IncidentKind::LevelShift)
            .unwrap();
        let (start, end) = (incidents[at].start.0, incidents[at].end.0);
        let p95 = ("__name__", "http_request_duration_seconds_p95");
        let search = ("service", "search");
        let detections = [
            detection(
                &[p95, search, ("instance", "search-1:8080")],
                start + 120_000,
                start + 300_000,
            ),
            detection(&[search], start + 60_000, start + 90_000),
            detection(&[("__name__", "process_threads"), search], start, end),
            detection(&[p95, search], end, end + 60_000),
            detection(&[p95, ("service", "login")], start, end),
            detection(&[p95, search], start - 60_000, start - 1),
        ];
        let judgement = judge(incidents, &detections, 600_000);
        assert_eq!(
            judgement.caught,
            [Caught {
                incident: at,
                detections: vec![0, 1],
                delay_ms: 60_000
            }]
        );
        assert_eq!(judgement.consequences, [2, 3]);
        assert_eq!(judgement.false_alarms, [4, 5]);
        assert_eq!(judgement.missed.len(), 5);
        assert_eq!(judgement.false_alarms_per_day(TimeRange::new(0, 86_400_000)), 2.0);
    }
}
