//! What was refused, in the program's own log: a line a minute for each reason, with an example.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How often a reason is told.
const EVERY_NS: u64 = 60_000_000_000;

/// What has been refused since a reason was last told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    pub(super) reason: &'static str,
    pub(super) requests: u64,
    pub(super) samples: u64,
    pub(super) tenant: String,
    pub(super) example: String,
}

#[derive(Debug, Default)]
struct Waiting {
    line: Line,
    told_ns: Option<u64>,
}

/// As long as there are reasons, which are fixed texts.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    waiting: Mutex<BTreeMap<&'static str, Waiting>>,
}

impl RefusalLog {
    /// Notes a refusal; the first since the last line is the example. Tells it at once where the last line is a minute
    /// old.
    pub(super) fn note(&self, tenant: &str, reason: &'static str, samples: u64, example: &str, now_ns: u64) {
        let line = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = waiting.entry(reason).or_default();
            if waiting.line.requests == 0 {
                waiting.line = Line {
                    reason,
                    tenant: tenant.to_owned(),
                    example: example.to_owned(),
                    ..Line::default()
                };
            }
            waiting.line.requests += 1;
            waiting.line.samples += samples;
            waiting.due(now_ns)
        };
        tell(line);
    }

    /// Tells what has waited for a minute: the end of a burst, after which nothing more was refused.
    pub(super) fn tell_due(&self, now_ns: u64) {
        for line in self.take_due(now_ns) {
            tell(Some(line));
        }
    }

    pub(super) fn take_due(&self, now_ns: u64) -> Vec<Line> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting
            .values_mut()
            .filter_map(|waiting| waiting.due(now_ns))
            .collect()
    }
}

impl Waiting {
    fn due(&mut self, now_ns: u64) -> Option<Line> {
        let is_time = self
            .told_ns
            .is_none_or(|told_ns| now_ns.saturating_sub(told_ns) >= EVERY_NS);
        if !is_time || self.line.requests == 0 {
            return None;
        }
        self.told_ns = Some(now_ns);
        Some(std::mem::take(&mut self.line))
    }
}

fn tell(line: Option<Line>) {
    if let Some(line) = line {
        tracing::warn!(
            reason = line.reason,
            requests = line.requests,
            samples = line.samples,
            tenant = line.tenant,
            example = line.example,
            "refused"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_line_a_minute_with_the_sum_and_the_first_example() {
        let log = RefusalLog::default();
        log.note("a", "series_max", 3, "up{} is too much", 0);
        assert_eq!(log.take_due(SECOND), [], "the first was told at once");
        log.note("b", "series_max", 2, "first", 10 * SECOND);
        log.note("c", "series_max", 5, "second", 20 * SECOND);
        log.note("c", "overload", 0, "too much", 20 * SECOND);
        assert_eq!(log.take_due(59 * SECOND), []);
        let line = Line {
            reason: "series_max",
            requests: 2,
            samples: 7,
            tenant: "b".to_owned(),
            example: "first".to_owned(),
        };
        assert_eq!(log.take_due(60 * SECOND), [line]);
        assert_eq!(log.take_due(600 * SECOND), [], "nothing was refused since");
    }
}
