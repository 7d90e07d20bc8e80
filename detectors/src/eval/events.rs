//! Incidents caught and bells rung for nothing.

/// Maximal runs of `true`, as half-open row ranges in order.
#[must_use]
pub fn runs(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut start = None;
    for (row, flag) in flags.iter().enumerate() {
        match (flag, start) {
            (true, None) => start = Some(row),
            (false, Some(from)) => {
                runs.push((from, row));
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        runs.push((from, flags.len()));
    }
    runs
}

/// What alarms did about labelled events.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EventReport {
    /// Labelled runs.
    pub events: usize,
    /// Labelled runs with an alarm row inside, or at most the tolerance after.
    pub caught: usize,
    /// Runs of alarm rows that touch no event, tolerance included on both sides.
    pub false_alarms: usize,
    /// Rows outside of every event.
    pub quiet_rows: usize,
}

impl EventReport {
    /// Both reports as one.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            caught: self.caught + other.caught,
            false_alarms: self.false_alarms + other.false_alarms,
            quiet_rows: self.quiet_rows + other.quiet_rows,
        }
    }
}

/// Holds runs of alarms against runs of labels, with a tolerance in rows.
///
/// # Panics
/// Where the two differ in length.
#[must_use]
pub fn events(alarms: &[bool], labels: &[bool], tolerance: usize) -> EventReport {
    assert_eq!(alarms.len(), labels.len(), "a label for each row");
    let rows = labels.len();
    let mut near = vec![false; rows];
    let mut report = EventReport {
        quiet_rows: labels.iter().filter(|label| !**label).count(),
        ..Default::default()
    };
    for (start, end) in runs(labels) {
        let (from, to) = (start.saturating_sub(tolerance), (end + tolerance).min(rows));
        near[from..to].fill(true);
        report.events += 1;
        report.caught += usize::from(alarms[start..to].contains(&true));
    }
    report.false_alarms = runs(alarms)
        .iter()
        .filter(|(start, end)| !near[*start..*end].contains(&true))
        .count();
    report
}

/// Whether the highest score of `scores[from..]` lies on the event `[start, end)`, widened on both sides by its
/// own length, at least 100 rows: the rule of the UCR anomaly archive (Wu and Keogh, TKDE 2021).
#[must_use]
pub fn top_hit(scores: &[f64], from: usize, event: (usize, usize)) -> bool {
    let reach = (event.1 - event.0).max(100);
    let finite = (from..scores.len()).filter(|row| scores[*row].is_finite());
    let best = finite.max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    best.is_some_and(|row| row + reach >= event.0 && row < event.1 + reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_counted_by_run_and_events_once() {
        let flags = |text: &str| text.chars().map(|flag| flag == '1').collect::<Vec<_>>();
        let labels = flags("0000111100000000000011000000");
        let alarms = flags("0100011010000011100000010000");
        let strict = events(&alarms, &labels, 0);
        assert_eq!(
            strict,
            EventReport {
                events: 2,
                caught: 1,
                false_alarms: 4,
                quiet_rows: 22
            }
        );
        let lenient = events(&alarms, &labels, 2);
        assert_eq!((lenient.caught, lenient.false_alarms), (2, 2));
    }

    #[test]
    fn the_top_score_hits_within_a_hundred_rows() {
        let mut scores = vec![0.0; 1000];
        scores[10] = 9.0;
        scores[560] = 5.0;
        scores[900] = f64::NAN;
        assert!(top_hit(&scores, 100, (600, 620)) && !top_hit(&scores, 0, (600, 620)));
        assert!(!top_hit(&scores, 100, (700, 720)));
    }
}
