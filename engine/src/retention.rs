//! How long samples are kept: by default, and for series that rules name.
//!
//! The first rule that a series passes decides, in the order in which they were given; without one the default does.
//! A sample whose time is up is read by nobody from that moment on, whatever is left of it on disk. The disk follows in
//! three ways: a segment goes whole when nothing in it may be kept any longer, a merge leaves such rows out, and a
//! segment with many of them is written anew without them.
//!
//! Buckets of rollups are kept as long as the rows of their series, or longer; never shorter.

use std::sync::Arc;

use barograph_model::{Labels, Matcher, TimeRange, TimestampMs, matches_all};

use crate::segment::SegmentKind;
use crate::{RollupKeep, RollupOptions};

/// Keeps some series for another time than the default.
#[derive(Debug, Clone)]
pub struct RetentionRule {
    /// A series must pass all of them.
    pub matchers: Vec<Matcher>,
    /// How long its samples are kept, in milliseconds; `None` is for ever.
    pub keep_ms: Option<i64>,
}

/// The default and the rules, and what holds for rollups.
#[derive(Debug, Clone)]
pub(crate) struct Retention {
    default_ms: Option<i64>,
    rules: Vec<RetentionRule>,
    rollup: RollupOptions,
}

impl Retention {
    pub(crate) fn new(default_ms: Option<i64>, rules: Vec<RetentionRule>, rollup: RollupOptions) -> Self {
        Self {
            default_ms,
            rules,
            rollup,
        }
    }

    /// The rules, in the order in which they count.
    pub(crate) fn rules(&self) -> &[RetentionRule] {
        &self.rules
    }

    /// How many classes of series there are: one for each rule, and the default.
    fn classes(&self) -> usize {
        self.rules.len() + 1
    }

    /// The class of a series: the first rule it passes, or the last class, which is the default.
    fn class_of(&self, labels: &Labels) -> usize {
        let passes = |rule: &RetentionRule| matches_all(&rule.matchers, labels);
        self.rules.iter().position(passes).unwrap_or(self.rules.len())
    }

    /// How long what is of a kind is kept of a class, in milliseconds; `None` is for ever.
    fn keep_ms(&self, class: usize, kind: SegmentKind) -> Option<i64> {
        let rows = self.rules.get(class).map_or(self.default_ms, |rule| rule.keep_ms);
        let (Some(width), Some(rows_ms)) = (kind.width(), rows) else {
            return rows;
        };
        // A rule that keeps less than the default may be a duty: it holds for all that is left of the series.
        let is_exception = self.default_ms.is_none_or(|default_ms| rows_ms < default_ms);
        match self.rollup.keep(width) {
            RollupKeep::AtLeast(ms) if !is_exception => Some(rows_ms.max(ms)),
            RollupKeep::AtLeast(_) | RollupKeep::AsRows | RollupKeep::Off => rows,
        }
    }

    /// The first instant that is kept of a class.
    pub(crate) fn oldest_of_class(&self, class: usize, kind: SegmentKind, now: TimestampMs) -> TimestampMs {
        oldest(self.keep_ms(class, kind), now)
    }

    /// The first instant that is kept of a series.
    pub(crate) fn oldest_of(&self, labels: &Labels, kind: SegmentKind, now: TimestampMs) -> TimestampMs {
        self.oldest_of_class(self.class_of(labels), kind, now)
    }

    /// The first instant that is kept of any series: all before it may go without a look at the series.
    pub(crate) fn oldest_of_any(&self, kind: SegmentKind, now: TimestampMs) -> TimestampMs {
        let classes = (0..self.classes()).map(|class| self.oldest_of_class(class, kind, now));
        classes.min().unwrap_or(TimestampMs::MIN)
    }

    /// The first instant that is kept of every series: from it on no series has to be looked at.
    pub(crate) fn oldest_of_all(&self, kind: SegmentKind, now: TimestampMs) -> TimestampMs {
        let classes = (0..self.classes()).map(|class| self.oldest_of_class(class, kind, now));
        classes.max().unwrap_or(TimestampMs::MIN)
    }
}

/// What is kept at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    retention: Arc<Retention>,
    now: TimestampMs,
}

impl Kept {
    pub(crate) fn new(retention: &Arc<Retention>, now: TimestampMs) -> Self {
        Self {
            retention: Arc::clone(retention),
            now,
        }
    }

    /// The part of a range that some series may have rows in.
    pub(crate) fn clip(&self, range: TimeRange) -> TimeRange {
        self.clip_kind(range, SegmentKind::Samples)
    }

    /// As [`Kept::clip`], of what is of a kind.
    pub(crate) fn clip_kind(&self, range: TimeRange, kind: SegmentKind) -> TimeRange {
        let start = self.retention.oldest_of_any(kind, self.now);
        range.intersect(&TimeRange {
            start,
            end: TimestampMs::MAX,
        })
    }

    /// Whether all rows of a range are kept of every series: then none has to be looked at.
    pub(crate) fn is_whole(&self, range: TimeRange) -> bool {
        range.start >= self.retention.oldest_of_all(SegmentKind::Samples, self.now)
    }

    /// The first instant of which rows are kept of a series.
    pub(crate) fn oldest_of(&self, labels: &Labels) -> TimestampMs {
        self.oldest_of_kind(labels, SegmentKind::Samples)
    }

    /// As [`Kept::oldest_of`], of what is of a kind.
    pub(crate) fn oldest_of_kind(&self, labels: &Labels, kind: SegmentKind) -> TimestampMs {
        self.retention.oldest_of(labels, kind, self.now)
    }

    /// The part of a range in which the rows of some series are not kept any more, and buckets of a kind may be.
    pub(crate) fn only_buckets(&self, range: TimeRange, kind: SegmentKind) -> TimeRange {
        let rows_end = self.retention.oldest_of_all(SegmentKind::Samples, self.now);
        self.clip_kind(range, kind).intersect(&TimeRange {
            start: TimestampMs::MIN,
            end: rows_end.saturating_add(-1),
        })
    }
}

fn oldest(keep_ms: Option<i64>, now: TimestampMs) -> TimestampMs {
    keep_ms.map_or(TimestampMs::MIN, |keep| now.saturating_add(keep.saturating_neg()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rule = |metric: &str, keep_ms| RetentionRule {
            matchers: vec![Matcher::equal("__name__", metric)],
            keep_ms,
        };
        let rules = vec![rule("a", Some(10)), rule("a", Some(20)), rule("b", None)];
        let retention = Retention::new(Some(100), rules, RollupOptions::default());
        let oldest = |metric: &str| {
            let labels = Labels::from_pairs([("__name__", metric)]).unwrap();
            retention.oldest_of(&labels, SegmentKind::Samples, TimestampMs(1000))
        };
        assert_eq!(oldest("a"), TimestampMs(990));
        assert_eq!(oldest("b"), TimestampMs::MIN);
        assert_eq!(oldest("c"), TimestampMs(900));
        let (samples, now) = (SegmentKind::Samples, TimestampMs(1000));
        assert_eq!(retention.oldest_of_any(samples, now), TimestampMs::MIN);
        assert_eq!(retention.oldest_of_all(samples, now), TimestampMs(990));
    }

    #[test]
    fn buckets_outlive_rows_but_not_where_a_rule_keeps_less() {
        let rule = |metric: &str, keep_ms| RetentionRule {
            matchers: vec![Matcher::equal("__name__", metric)],
            keep_ms,
        };
        let rules = vec![
            rule("short", Some(10)),
            rule("long", Some(300)),
            rule("longer", Some(900)),
            rule("ever", None),
        ];
        let rollup = RollupOptions {
            five_minutes: RollupKeep::AtLeast(500),
            one_hour: RollupKeep::AsRows,
        };
        let retention = Retention::new(Some(100), rules, rollup);
        let oldest = |metric: &str, kind| {
            let labels = Labels::from_pairs([("__name__", metric)]).unwrap();
            retention.oldest_of(&labels, kind, TimestampMs(1000)).0
        };
        for (metric, rows, five_minutes) in [
            ("other", 900, 500),
            ("short", 990, 990),
            ("long", 700, 500),
            ("longer", 100, 100),
            ("ever", i64::MIN, i64::MIN),
        ] {
            assert_eq!(oldest(metric, SegmentKind::Samples), rows, "{metric}");
            assert_eq!(oldest(metric, SegmentKind::FiveMinutes), five_minutes, "{metric}");
            assert_eq!(oldest(metric, SegmentKind::OneHour), rows, "{metric}");
        }
    }
}
