//! What is asked of the buckets that a step looks at.

use barograph_engine::{Bucket, BucketParts};

use super::source::Sourcing;
use crate::range_function::{Extrapolation, RateKind};
use crate::syntax::FunctionId;

/// What buckets have to be read for, where they know the answer.
pub(crate) fn parts(sourcing: &Sourcing) -> Option<BucketParts> {
    use BucketParts as P;
    use FunctionId as F;
    let function = match sourcing {
        Sourcing::Value => return Some(P::INSTANTS.and(P::LAST)),
        Sourcing::Timestamp => return Some(P::INSTANTS),
        Sourcing::Window { function, .. } => function.id,
    };
    Some(match function {
        F::CountOverTime | F::PresentOverTime => P::NONE,
        F::TsOfFirstOverTime | F::TsOfLastOverTime => P::INSTANTS,
        F::FirstOverTime => P::FIRST,
        F::LastOverTime => P::LAST,
        F::MinOverTime => P::MIN,
        F::MaxOverTime => P::MAX,
        F::SumOverTime | F::AvgOverTime => P::SUM,
        F::Changes => P::CHANGES,
        F::Resets => P::RESETS,
        F::Delta => P::INSTANTS.and(P::FIRST).and(P::LAST),
        F::Rate | F::Increase => P::INSTANTS.and(P::INCREASE),
        _ => return None,
    })
}

/// The newest value, or its instant in seconds, where it is newer than an instant and no staleness marker follows it.
pub(crate) fn newest(buckets: &[Bucket], after: i64, wants_ts: bool) -> Option<f64> {
    let last = buckets
        .last()
        .filter(|last| !last.is_stale() && last.last_ts > after)?;
    Some(if wants_ts {
        last.last_ts as f64 / 1000.0
    } else {
        last.last
    })
}

/// A function over the rows of some buckets together, and how many samples they have.
pub(crate) fn of_window(
    function: FunctionId,
    buckets: &[Bucket],
    start: i64,
    end: i64,
) -> (Option<f64>, u64) {
    let Some((first, rest)) = buckets.split_first() else {
        return (None, 0);
    };
    let mut all = *first;
    rest.iter().for_each(|bucket| all.join(bucket));
    let value = (all.count > 0).then(|| of_bucket(function, &all, start, end));
    (value.flatten(), u64::from(all.count))
}

fn of_bucket(function: FunctionId, all: &Bucket, start: i64, end: i64) -> Option<f64> {
    use FunctionId as F;
    let seconds = |ms: i64| ms as f64 / 1000.0;
    Some(match function {
        F::CountOverTime => f64::from(all.count),
        F::PresentOverTime => 1.0,
        F::FirstOverTime => all.first,
        F::LastOverTime => all.last,
        F::TsOfFirstOverTime => seconds(all.first_ts),
        F::TsOfLastOverTime => seconds(all.last_ts),
        F::MinOverTime => all.min,
        F::MaxOverTime => all.max,
        F::SumOverTime => all.sum,
        F::AvgOverTime => all.sum / f64::from(all.count),
        F::Changes => f64::from(all.changes),
        F::Resets => f64::from(all.resets),
        F::Rate => return extrapolated(RateKind::Rate, all, start, end),
        F::Increase => return extrapolated(RateKind::Increase, all, start, end),
        F::Delta => return extrapolated(RateKind::Delta, all, start, end),
        _ => return None,
    })
}

fn extrapolated(kind: RateKind, all: &Bucket, start: i64, end: i64) -> Option<f64> {
    if all.count < 2 {
        return None;
    }
    let rise = if kind.is_counter() {
        all.increase()
    } else {
        all.last - all.first
    };
    let extrapolation = Extrapolation {
        kind,
        start,
        end,
        first: all.first_ts,
        last: all.last_ts,
        samples: all.count as usize,
    };
    Some(rise * extrapolation.factor(kind.is_counter().then_some((all.first, rise))))
}
