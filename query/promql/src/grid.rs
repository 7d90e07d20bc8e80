//! The steps of a query: equally spaced instants.

use crate::QueryError;

/// The most steps of one query, as in Prometheus.
pub const STEPS_MAX: usize = 11_000;

/// Instants `start, start + step, ...`, at least one. All in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    start: i64,
    step: i64,
    len: usize,
}

impl Grid {
    /// The one instant of an instant query.
    #[must_use]
    pub fn instant(ts: i64) -> Self {
        Self {
            start: ts,
            step: 1,
            len: 1,
        }
    }

    /// The steps of a range query: from `start` to at most `end`.
    ///
    /// # Errors
    /// [`QueryError::BadData`] where the step is not positive, the end is before the start, or there are more than
    /// [`STEPS_MAX`] steps; worded as Prometheus does.
    pub fn range(start: i64, end: i64, step: i64) -> Result<Self, QueryError> {
        if end < start {
            let message = "invalid parameter \"end\": end timestamp must not be before start time";
            return Err(QueryError::BadData(message.to_owned()));
        }
        if step <= 0 {
            let message = "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. \
                           Try a positive integer";
            return Err(QueryError::BadData(message.to_owned()));
        }
        let span = i128::from(end) - i128::from(start);
        if span / i128::from(step) > STEPS_MAX as i128 {
            let message = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
                           resolution (?step=XX)";
            return Err(QueryError::BadData(message.to_owned()));
        }
        Ok(Self {
            start,
            step,
            len: (span / i128::from(step)) as usize + 1,
        })
    }

    /// Steps that nobody asked for by hand, such as those of a subquery: `None` where there is no instant in the range.
    pub(crate) fn between(start: i64, end: i64, step: i64) -> Option<Self> {
        let span = end.checked_sub(start).filter(|span| *span >= 0)?;
        Some(Self {
            start,
            step,
            len: usize::try_from(span / step).ok()? + 1,
        })
    }

    /// So many steps that all look at the same instant.
    pub(crate) fn fixed(ts: i64, len: usize) -> Self {
        Self {
            start: ts,
            step: 0,
            len,
        }
    }

    /// How many steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: a grid has at least one step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The first instant.
    #[must_use]
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The last instant.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.at(self.len - 1)
    }

    /// The distance of two steps; of no meaning where there is only one.
    #[must_use]
    pub fn step(&self) -> i64 {
        self.step
    }

    /// The instant of a step.
    #[must_use]
    pub fn at(&self, step: usize) -> i64 {
        self.start + self.step * step as i64
    }

    /// All instants.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i64> + Clone + use<> {
        let Self { start, step, len } = *self;
        (0..len).map(move |i| start + step * i as i64)
    }

    /// The same grid as seen from further back.
    pub(crate) fn shifted(&self, by: i64) -> Self {
        Self {
            start: self.start.saturating_add(by),
            ..*self
        }
    }

    /// The first step alone.
    pub(crate) fn first(&self) -> Self {
        Self { len: 1, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_inside_where_a_step_meets_it() {
        let steps = |start, end, step| Grid::range(start, end, step).unwrap().iter().collect::<Vec<_>>();
        assert_eq!(steps(0, 20, 10), [0, 10, 20]);
        assert_eq!(steps(0, 19, 10), [0, 10]);
        assert_eq!(steps(5, 5, 10), [5]);
    }

    #[test]
    fn absurd_ranges_are_refused() {
        assert!(Grid::range(0, 1, 0).is_err());
        assert!(Grid::range(1, 0, 1).is_err());
        assert!(Grid::range(0, 100 * 365 * 86_400_000, 1).is_err());
        assert!(Grid::range(i64::MIN, i64::MAX, 1).is_err());
    }
}
