//! A set knows where its series are, in every segment and whatever part of it is asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use barograph_model::{Labels, ManualClock, MatchOp, Matcher, TimeRange, TimestampMs};

use super::SeriesSet;
use crate::index::StorageKey;
use crate::vfs::SimVfs;
use crate::{Engine, Options, SampleColumns, Snapshot};

const NOW: i64 = 1_700_000_000_000;

/// Each of some series gets a sample.
fn append(engine: &Engine, series: impl Iterator<Item = usize>) {
    let mut columns = SampleColumns::new(&engine.head());
    for number in series {
        let (instance, name) = (format!("i{:02}", number % 31), format!("n{number}"));
        let labels = [("__name__", "up"), ("instance", &*instance), ("name", &*name)];
        let series = engine.head().series(&Labels::from_pairs(labels).unwrap());
        columns.push(series, NOW - 1000 + number as i64, 1.0);
    }
    engine.append_blocking(columns).unwrap();
}

/// A set has each series once that any source has, in storage order.
fn assert_is_union(snapshot: &Snapshot, matchers: &[Matcher], set: &SeriesSet) {
    let key =
        |set: &SeriesSet, position: usize| (StorageKey::of(&set.labels(position).unwrap()), set.id(position));
    let keys = |set: &SeriesSet| {
        (0..set.len())
            .map(|position| key(set, position))
            .collect::<Vec<_>>()
    };
    let of_segment =
        |segment: &Arc<_>| SeriesSet::select(&[], std::slice::from_ref(segment), matchers, None).unwrap();
    let mut expected: BTreeSet<_> = snapshot
        .segments
        .iter()
        .flat_map(|segment| keys(&of_segment(segment)))
        .collect();
    expected.extend(keys(
        &SeriesSet::select(&snapshot.heads, &[], matchers, None).unwrap(),
    ));
    assert_eq!(keys(set), expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn places_are_where_the_series_lie() {
    let options = Options {
        background: false,
        ..Options::default()
    };
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let engine = Engine::open(Arc::new(SimVfs::new(1)), clock, options).unwrap();
    append(&engine, 0..60);
    engine.flush().unwrap();
    append(&engine, (0..90).filter(|number| number % 3 == 0));
    engine.flush().unwrap();
    append(&engine, (80..100).step_by(2));
    engine.flush().unwrap();
    append(&engine, (0..120).step_by(5));
    let snapshot = engine.snapshot();
    assert_eq!(snapshot.segments.len(), 3);
    let matchers = [
        vec![],
        vec![Matcher::new("name", MatchOp::Regex, "n.*[02468]").unwrap()],
        vec![Matcher::new("instance", MatchOp::Regex, "i1[0-2]|i20").unwrap()],
    ];
    for matchers in matchers {
        let whole = snapshot.select(&matchers, TimeRange::ALL).unwrap();
        assert!(whole.len() > 8);
        assert_is_union(&snapshot, &matchers, &whole);
        let odd: Vec<usize> = (0..whole.len()).filter(|position| position % 2 == 1).collect();
        // Sets of one segment do not know where their series are in the others.
        let of_one =
            |segment| SeriesSet::select(&[], std::slice::from_ref(segment), &matchers, None).unwrap();
        let alone = snapshot.segments.iter().map(of_one);
        for set in alone.chain([whole.at(&odd), whole]) {
            for segment in snapshot.segments.iter() {
                let places = set.places_in(segment, 0..set.len());
                for (position, place) in places.iter().enumerate() {
                    let there = (0..segment.meta.series as u32).find(|p| segment.id(*p) == set.id(position));
                    assert_eq!(*place, there);
                }
                let middle = set.len() / 3..set.len();
                assert_eq!(set.places_in(segment, middle.clone()), places[middle]);
            }
        }
    }
}
