//! How long samples are kept: by default, and for series that rules name.
//!
//! The first rule that a series passes decides, in the order in which they were given; without one the default does.
//! A sample whose time is up is read by nobody from that moment on, whatever is left of it on disk. The disk follows in
//! three ways: a segment goes whole when nothing in it may be kept any longer, a merge leaves such rows out, and a
//! segment with many of them is written anew without them.

use std::sync::Arc;

use barograph_model::{Labels, Matcher, TimeRange, TimestampMs, matches_all};

/// Keeps some series for another time than the default.
#[derive(Debug, Clone)]
pub struct RetentionRule {
    /// A series must pass all of them.
    pub matchers: Vec<Matcher>,
    /// How long its samples are kept, in milliseconds; `None` is for ever.
    pub keep_ms: Option<i64>,
}

/// The default and the rules.
#[derive(Debug, Clone)]
pub(crate) struct Retention {
    default_ms: Option<i64>,
    rules: Vec<RetentionRule>,
}

impl Retention {
    pub(crate) fn new(default_ms: Option<i64>, rules: Vec<RetentionRule>) -> Self {
        Self { default_ms, rules }
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

    /// The first instant that is kept of a class.
    pub(crate) fn oldest_of_class(&self, class: usize, now: TimestampMs) -> TimestampMs {
        oldest(
            self.rules.get(class).map_or(self.default_ms, |rule| rule.keep_ms),
            now,
        )
    }

    /// The first instant that is kept of a series.
    pub(crate) fn oldest_of(&self, labels: &Labels, now: TimestampMs) -> TimestampMs {
        self.oldest_of_class(self.class_of(labels), now)
    }

    /// The first instant that is kept of any series: all before it may go without a look at the series.
    pub(crate) fn oldest_of_any(&self, now: TimestampMs) -> TimestampMs {
        let classes = (0..self.classes()).map(|class| self.oldest_of_class(class, now));
        classes.min().unwrap_or(TimestampMs::MIN)
    }

    /// The first instant that is kept of every series: from it on no series has to be looked at.
    pub(crate) fn oldest_of_all(&self, now: TimestampMs) -> TimestampMs {
        let classes = (0..self.classes()).map(|class| self.oldest_of_class(class, now));
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

    /// The part of a range that some series may have.
    pub(crate) fn clip(&self, range: TimeRange) -> TimeRange {
        let start = self.retention.oldest_of_any(self.now);
        range.intersect(&TimeRange {
            start,
            end: TimestampMs::MAX,
        })
    }

    /// Whether all of a range is kept of every series: then none has to be looked at.
    pub(crate) fn is_whole(&self, range: TimeRange) -> bool {
        range.start >= self.retention.oldest_of_all(self.now)
    }

    /// The first instant that is kept of a series.
    pub(crate) fn oldest_of(&self, labels: &Labels) -> TimestampMs {
        self.retention.oldest_of(labels, self.now)
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
        let retention = Retention::new(Some(100), rules);
        let oldest = |metric: &str| {
            let labels = Labels::from_pairs([("__name__", metric)]).unwrap();
            retention.oldest_of(&labels, TimestampMs(1000))
        };
        assert_eq!(oldest("a"), TimestampMs(990));
        assert_eq!(oldest("b"), TimestampMs::MIN);
        assert_eq!(oldest("c"), TimestampMs(900));
        assert_eq!(retention.oldest_of_any(TimestampMs(1000)), TimestampMs::MIN);
        assert_eq!(retention.oldest_of_all(TimestampMs(1000)), TimestampMs(990));
    }
}
