//! What holds for any data and any expression.

use std::collections::BTreeMap;

use barograph_model::Labels;
use proptest::prelude::*;

use super::random::{self, FloatSeries};
use super::reference::{Fails, Reference, Value};
use super::store::{Layout, Store};
use crate::syntax::{ParseOptions, ValueType, functions, parse};
use crate::{Answer, Grid, QueryValue, SampleValue};

/// Values by series and instant.
type Values = BTreeMap<(Labels, i64), f64>;

/// How many cases of each law.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

fn values(answer: Answer) -> Values {
    let mut values = Values::new();
    let mut enter = |labels: &Labels, ts: i64, value: &SampleValue| {
        let SampleValue::Float(float) = value else {
            panic!("a histogram from floats");
        };
        assert_eq!(
            values.insert((labels.clone(), ts), *float),
            None,
            "{labels} twice at {ts}"
        );
    };
    match answer.value {
        QueryValue::Matrix(series) => {
            for one in &series {
                one.points
                    .iter()
                    .for_each(|point| enter(&one.labels, point.ts, &point.value));
            }
        }
        QueryValue::Vector(series) => {
            series
                .iter()
                .for_each(|one| enter(&one.labels, one.point.ts, &one.point.value));
        }
        QueryValue::Scalar { ts, value } => enter(&Labels::empty(), ts, &SampleValue::Float(value)),
        QueryValue::String { .. } => panic!("a string from floats"),
    }
    values
}

/// The answer of a range query, and that of the reference: `None` where the query fails.
fn by_both(store: &Store, data: &[FloatSeries], text: &str, grid: Grid) -> (Option<Values>, Option<Values>) {
    let expr = parse(text, &ParseOptions::experimental()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let reference = Reference { data, whole: grid };
    let found = store.range(text, grid).ok().map(values);
    let mut expected = Values::new();
    for ts in grid.iter() {
        match reference.eval(&expr, ts) {
            Err(Fails) => return (found, None),
            Ok(Value::Scalar(value)) => {
                expected.insert((Labels::empty(), ts), value);
            }
            Ok(Value::Vector(vector)) => {
                expected.extend(vector.into_iter().map(|(labels, value)| ((labels, ts), value)));
            }
        }
    }
    (found, Some(expected))
}

/// The answers of instant queries at the steps of a grid; `None` where one fails.
fn by_instants(store: &Store, text: &str, grid: Grid) -> Option<Values> {
    let mut all = Values::new();
    for ts in grid.iter() {
        all.extend(values(store.instant(text, ts).ok()?));
    }
    Some(all)
}

/// Whether a range query may fail where no step does: steps of a subquery that are between its windows are evaluated too,
/// as in Prometheus.
fn may_fail_between_steps(text: &str) -> bool {
    text.contains(":")
}

/// The first difference: a relative one of more than `epsilon`, in numbers that are not small beside 1.
fn difference(found: &Values, expected: &Values, epsilon: f64) -> Option<String> {
    let keys = found.keys().chain(expected.keys());
    for key in keys {
        let (a, b) = (found.get(key), expected.get(key));
        let is_same = match (a, b) {
            (Some(a), Some(b)) => {
                a == b
                    || (a.is_nan() && b.is_nan())
                    || (a - b).abs() <= epsilon * a.abs().max(b.abs()).max(1.0)
            }
            _ => false,
        };
        if !is_same {
            return Some(format!("{} at {}: found {a:?}, expected {b:?}", key.0, key.1));
        }
    }
    None
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn functions_of_windows_are_those_of_the_reference(
        data in random::data(), grid in random::grid(), range in random::range_ms(), layout in 0usize..3,
    ) {
        let store = random::store(Layout::ALL[layout], &data);
        for function in random::window_functions() {
            for selector in ["g", "c_total"] {
                let text = function.replace("{}", &format!("{selector}[{range}ms]"));
                let (found, expected) = by_both(&store, &data, &text, grid);
                let (found, expected) = (found.unwrap(), expected.unwrap());
                prop_assert_eq!(difference(&found, &expected, 1e-9), None, "{}", text);
            }
        }
    }
}

#[test]
fn the_laws_know_every_function_of_windows() {
    let known: Vec<&str> = random::window_functions()
        .filter_map(|template| template.split('(').next())
        .collect();
    let missing = functions().filter(|function| {
        function.args.contains(&ValueType::Matrix)
            && function.name != "absent_over_time"
            && !known.contains(&function.name)
    });
    assert_eq!(missing.map(|function| function.name).collect::<Vec<_>>(), [""; 0]);
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn expressions_are_those_of_the_reference(
        data in random::data(), grid in random::grid(), layout in 0usize..3,
        exact in proptest::collection::vec(random::exact(), 4), any in proptest::collection::vec(random::expression(), 4),
    ) {
        let store = random::store(Layout::ALL[layout], &data);
        for text in exact.iter().chain(&any) {
            let (found, expected) = by_both(&store, &data, text, grid);
            prop_assert!(
                found.is_none() == expected.is_none() || (found.is_none() && may_fail_between_steps(text)),
                "whether it fails: {}\n{:?}", text, store.range(text, grid).err(),
            );
            if let (Some(found), Some(expected)) = (found, expected) {
                prop_assert_eq!(difference(&found, &expected, 1e-7), None, "{}", text);
            }
        }
    }

    #[test]
    fn a_range_query_is_the_instant_queries_at_its_steps(
        data in random::data(), grid in random::grid(), layout in 0usize..3,
        texts in proptest::collection::vec(random::expression(), 4),
    ) {
        let store = random::store(Layout::ALL[layout], &data);
        // Of an instant query the start and the end are the instant.
        for text in texts.iter().filter(|text| !text.contains("start()") && !text.contains("end()")) {
            let (range, instants) = (store.range(text, grid).ok().map(values), by_instants(&store, text, grid));
            prop_assert!(
                range.is_none() == instants.is_none() || (range.is_none() && may_fail_between_steps(text)),
                "whether it fails: {}", text,
            );
            if let (Some(range), Some(instants)) = (range, instants) {
                prop_assert_eq!(difference(&range, &instants, 1e-11), None, "{}", text);
            }
        }
    }

    #[test]
    fn where_samples_are_does_not_matter(
        data in random::data(), grid in random::grid(), texts in proptest::collection::vec(random::expression(), 4),
    ) {
        let [memory, merged, half] = Layout::ALL.map(|layout| random::store(layout, &data));
        for text in &texts {
            let expected = memory.range(text, grid).map(values);
            for other in [&merged, &half] {
                let found = other.range(text, grid).map(values);
                match (&found, &expected) {
                    (Ok(found), Ok(expected)) => prop_assert_eq!(difference(found, expected, 0.0), None, "{}", text),
                    (found, expected) => prop_assert_eq!(found.is_err(), expected.is_err(), "{}", text),
                }
            }
        }
    }

    #[test]
    fn a_sum_is_the_sum_of_its_parts(data in random::data(), grid in random::grid(), range in random::range_ms()) {
        let store = random::store(Layout::Half, &data);
        let sums = format!("sum_over_time(g[{range}ms])");
        let pairs = [
            ("sum(g)".to_owned(), "sum(sum by (i) (g))".to_owned()),
            ("sum by (j) (g)".to_owned(), "sum by (j) (sum by (i, j) (g))".to_owned()),
            ("sum without (i) (g)".to_owned(), "sum by (j) (sum without (x) (g))".to_owned()),
            ("count(g)".to_owned(), "sum(count by (j) (g))".to_owned()),
            ("min(g)".to_owned(), "min(min by (j) (g))".to_owned()),
            ("max(g)".to_owned(), "max(max without (i) (g))".to_owned()),
            ("avg(g)".to_owned(), "sum(g) / count(g)".to_owned()),
            // Both parts where both are, and otherwise the one that is.
            (
                "sum({__name__=~\"g|h\"})".to_owned(),
                "(sum(g) + sum(h)) or sum(g) or sum(h)".to_owned(),
            ),
            (
                "sum(g{j=\"a\"} or h{i=\"4\"})".to_owned(),
                "(sum(g{j=\"a\"}) + sum(h{i=\"4\"})) or sum(g{j=\"a\"}) or sum(h{i=\"4\"})".to_owned(),
            ),
            (format!("sum({sums})"), format!("sum(sum by (i) ({sums}))")),
            (sums.clone(), format!("avg_over_time(g[{range}ms]) * count_over_time(g[{range}ms])")),
        ];
        for (whole, parts) in pairs {
            let (a, b) = (store.range(&whole, grid).unwrap(), store.range(&parts, grid).unwrap());
            prop_assert_eq!(difference(&values(a), &values(b), 1e-9), None, "{} and {}", whole, parts);
        }
    }
}

/// Enough rows for several chunks of a scan, and enough samples in a window for the summaries of blocks.
#[test]
fn many_series_and_long_windows_are_those_of_the_reference() {
    const SERIES: i64 = 300;
    const SAMPLES: i64 = 400;
    let series = (0..SERIES).map(|i| FloatSeries {
        labels: Labels::from_pairs([
            ("__name__", "m_total"),
            ("i", &format!("{i}")),
            ("j", &format!("{}", i % 7)),
        ])
        .unwrap(),
        samples: (0..SAMPLES)
            // Falls now and then, and lacks a sample now and then.
            .filter(|k| (k * 31 + i * 17) % 23 != 0)
            .map(|k| (k * 10_000 + i, (k * (i + 3) % 97 * 10 + k) as f64 + 0.5))
            .collect(),
    });
    let data: Vec<FloatSeries> = series.collect();
    let store = random::store(Layout::Half, &data);
    let grid = Grid::range(1_000_000, 4_200_000, 400_000).unwrap();
    let mut texts: Vec<String> = ["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"]
        .into_iter()
        .flat_map(|op| {
            [
                format!("{op}(m_total)"),
                format!("{op} by (j) (m_total)"),
                format!("{op} without (i) (rate(m_total[5m]))"),
            ]
        })
        .collect();
    texts
        .extend(random::window_functions().map(|function| function.replace("{}", "m_total{j=\"3\"}[2950s]")));
    texts.push("quantile by (j) (0.3, m_total)".to_owned());
    texts.push("sum by (j) (topk by (j) (5, m_total))".to_owned());
    texts.push("sum by (j) (m_total{j=\"3\"} * on(i) group_left () (m_total{j=\"3\"} offset 5m))".to_owned());
    texts.push("count(m_total{j=\"3\"} > 400 or m_total{j=\"3\"} < 500)".to_owned());
    for text in texts {
        let (found, expected) = by_both(&store, &data, &text, grid);
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert_eq!(difference(&found, &expected, 1e-9), None, "{text}");
        assert!(!expected.is_empty(), "{text}");
    }
}
