//! A set knows where its series are, in every segment and whatever part of it is asked for.

use std::sync::Arc;

use barograph_model::{Labels, ManualClock, MatchOp, Matcher, TimeRange, TimestampMs};

use crate::vfs::SimVfs;
use crate::{Engine, Options, SampleColumns};

const NOW: i64 = 1_700_000_000_000;

/// Each of some series gets a sample.
fn append(engine: &Engine, series: impl Iterator<Item = usize>) {
    let mut columns = SampleColumns::new(&engine.head());
    for number in series {
        let (instance, name) = (format!("i{}", number % 7), format!("n{number}"));
        let labels = [("__name__", "up"), ("instance", &*instance), ("name", &*name)];
        let series = engine.head().series(&Labels::from_pairs(labels).unwrap());
        columns.push(series, NOW - 1000 + number as i64, 1.0);
    }
    engine.append_blocking(columns).unwrap();
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
    ];
    for matchers in matchers {
        let whole = snapshot.select(&matchers, TimeRange::ALL).unwrap();
        assert!(whole.len() > 30);
        let odd: Vec<usize> = (0..whole.len()).filter(|position| position % 2 == 1).collect();
        for set in [whole.at(&odd), whole] {
            for segment in snapshot.segments.iter() {
                let places = set.places_in(segment, 0..set.len());
                for (position, place) in places.iter().enumerate() {
                    let there = (0..segment.meta.series as u32).find(|p| segment.id(*p) == set.id(position));
                    assert_eq!(*place, there);
                }
                assert_eq!(set.places_in(segment, 5..11), places[5..11]);
            }
        }
    }
}
