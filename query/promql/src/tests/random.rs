//! Random series, and random expressions over them.

use barograph_model::{Labels, stale_nan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::store::{Layout, Store, Stored, StoredSeries};
use crate::Grid;

/// Where data begins: at a whole multiple of nothing.
const START_MS: i64 = 3_600_007;

/// How far data reaches, about.
const SPAN_MS: i64 = 1_200_000;

/// A series of floats.
#[derive(Debug, Clone)]
pub(super) struct FloatSeries {
    pub(super) labels: Labels,
    pub(super) samples: Vec<(i64, f64)>,
}

/// What happens from one sample to the next.
#[derive(Debug, Clone, Copy)]
enum Event {
    Step(i32),
    /// the counter begins anew, the gauge jumps to 0
    Reset,
    Same,
    NotANumber,
    Stale,
    /// no sample for a while
    Gap,
}

/// What the generator's series are: their names and labels.
const SERIES: [(&str, &str, &str); 9] = [
    ("g", "1", "a"),
    ("g", "2", "a"),
    ("g", "3", "b"),
    ("h", "1", "a"),
    ("h", "4", "b"),
    ("c_total", "1", "a"),
    ("c_total", "2", "b"),
    ("c_total", "3", "b"),
    ("rare", "1", "a"),
];

/// All series with random samples: whole numbers, so that their sums are exact.
pub(super) fn data() -> impl Strategy<Value = Vec<FloatSeries>> {
    let event = prop_oneof![
        40 => (-40i32..40).prop_map(Event::Step),
        2 => Just(Event::Reset),
        3 => Just(Event::Same),
        1 => Just(Event::NotANumber),
        1 => Just(Event::Stale),
        1 => Just(Event::Gap),
    ];
    // An interval with jitter.
    let samples = vec((event, 9_000i64..16_000), 0..70);
    vec(samples, SERIES.len()).prop_map(|all| {
        let named = SERIES.iter().zip(all);
        let series = named.map(|((metric, i, j), events)| FloatSeries {
            labels: Labels::from_pairs([("__name__", *metric), ("i", *i), ("j", *j)]).unwrap(),
            samples: play(&events, metric.ends_with("_total")),
        });
        series.collect()
    })
}

fn play(events: &[(Event, i64)], is_counter: bool) -> Vec<(i64, f64)> {
    let (mut ts, mut value) = (START_MS, 100.0);
    let mut samples = Vec::new();
    for (event, gap_ms) in events {
        ts += gap_ms;
        match event {
            Event::Step(by) if is_counter => value += f64::from(by.abs()),
            Event::Step(by) => value += f64::from(*by),
            Event::Reset => value = 0.0,
            Event::Same => {}
            Event::NotANumber => {
                samples.push((ts, f64::NAN));
                continue;
            }
            Event::Stale => {
                samples.push((ts, stale_nan()));
                continue;
            }
            Event::Gap => {
                ts += 30 * gap_ms;
                continue;
            }
        }
        samples.push((ts, value));
    }
    samples
}

/// A store with some series.
pub(super) fn store(layout: Layout, data: &[FloatSeries]) -> Store {
    let store = Store::new(layout);
    let stored = data.iter().map(|series| StoredSeries {
        labels: series.labels.clone(),
        samples: series
            .samples
            .iter()
            .map(|(ts, value)| (*ts, Stored::Float(*value)))
            .collect(),
    });
    store.load(&stored.collect::<Vec<_>>());
    store
}

/// Steps somewhere over the data and a little beyond it.
pub(super) fn grid() -> impl Strategy<Value = Grid> {
    (-100_000..SPAN_MS, 1i64..90_000, 0i64..24).prop_map(|(start, step, more)| {
        Grid::range(START_MS + start, START_MS + start + step * more, step).unwrap()
    })
}

/// A window: from less than an interval to more than all data.
pub(super) fn range_ms() -> impl Strategy<Value = i64> {
    prop_oneof![1i64..30_000, 10_000i64..300_000, 100_000i64..2_000_000]
}

/// A selector without a range.
fn selector() -> impl Strategy<Value = String> {
    let series = select(vec![
        "g",
        "g{i=\"1\"}",
        "g{j=\"a\"}",
        "h",
        "h{i!=\"1\"}",
        "c_total",
        "c_total{j=~\"b|c\"}",
        "rare",
        "{i=\"1\", j=\"a\"}",
        "{__name__=~\"g|h\"}",
        "nothing",
    ]);
    (series, modifiers()).prop_map(|(series, modifiers)| format!("{series}{modifiers}"))
}

fn modifiers() -> impl Strategy<Value = String> {
    prop_oneof![
        10 => Just(String::new()),
        2 => (0i64..200_000).prop_map(|ms| format!(" offset {ms}ms")),
        2 => (0i64..200_000).prop_map(|ms| format!(" offset -{ms}ms")),
        1 => (0..SPAN_MS).prop_map(|ms| format!(" @ {}", (START_MS + ms) as f64 / 1000.0)),
        1 => Just(" @ start()".to_owned()),
        1 => Just(" @ end()".to_owned()),
        1 => Just(" @ end() offset 1m".to_owned()),
    ]
}

/// A range vector: of a selector, or of steps of an expression.
fn matrix(inner: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let of_selector = (selector(), range_ms(), modifiers()).prop_map(|(selector, range, modifiers)| {
        let series = selector
            .split(" offset")
            .next()
            .unwrap_or_default()
            .split(" @")
            .next()
            .unwrap_or_default()
            .to_owned();
        format!("{series}[{range}ms]{modifiers}")
    });
    let of_steps = (inner, 1i64..400_000, 7_000i64..90_000, modifiers())
        .prop_map(|(inner, range, step, modifiers)| format!("({inner})[{range}ms:{step}ms]{modifiers}"));
    prop_oneof![3 => of_selector, 1 => of_steps]
}

/// Functions of windows whose values are exact where the samples are.
const EXACT: [&str; 9] = [
    "count_over_time({})",
    "present_over_time({})",
    "sum_over_time({})",
    "min_over_time({})",
    "max_over_time({})",
    "first_over_time({})",
    "last_over_time({})",
    "changes({})",
    "resets({})",
];

/// Functions of windows whose values are rounded, or are fractions whose sums are.
const ROUNDED: [&str; 18] = [
    "ts_of_first_over_time({})",
    "ts_of_last_over_time({})",
    "ts_of_min_over_time({})",
    "ts_of_max_over_time({})",
    "rate({})",
    "increase({})",
    "delta({})",
    "irate({})",
    "idelta({})",
    "deriv({})",
    "predict_linear({}, 100)",
    "avg_over_time({})",
    "stddev_over_time({})",
    "stdvar_over_time({})",
    "mad_over_time({})",
    "quantile_over_time(0.3, {})",
    "quantile_over_time(1, {})",
    "double_exponential_smoothing({}, 0.4, 0.3)",
];

/// All functions of windows; `{}` stands for the range vector.
pub(super) fn window_functions() -> impl Iterator<Item = &'static str> {
    EXACT.into_iter().chain(ROUNDED)
}

fn grouping() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        " by (i)",
        " by (j)",
        " by (i, j, x)",
        " without (i)",
        " without (j)",
        " by (__name__)",
        " without ()",
    ])
}

fn matching() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        " on(i)",
        " on(i, j)",
        " ignoring(j)",
        " on(j) group_left ()",
        " on(j) group_right(i)",
        " on(i) group_left(j)",
        " ignoring(i) group_right ()",
        " on()",
    ])
}

fn set_matching() -> impl Strategy<Value = &'static str> {
    select(vec!["", " on(i)", " ignoring(i)", " on(j)", " on()"])
}

fn with(template: &str, argument: &str) -> String {
    template.replace("{}", argument)
}

/// Vectors of exact values: whole numbers and what is chosen from them. They may be compared.
pub(super) fn exact() -> impl Strategy<Value = String> {
    selector().prop_recursive(4, 24, 3, |inner| {
        let inner = inner.boxed();
        let ops = vec!["+", "-", "*", "==", "!=", "<", "<=", ">", ">=", "== bool", "> bool", "<= bool"];
        // Products of series would soon be too large to be exact.
        let pair_ops: Vec<_> = ops.iter().copied().filter(|op| *op != "*").collect();
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            3 => (select(EXACT.to_vec()), matrix(inner.clone())).prop_map(|(function, matrix)| with(function, &matrix)),
            2 => (select(vec!["sum", "count", "min", "max", "group"]), grouping(), inner.clone())
                .prop_map(|(op, grouping, inner)| format!("{op}{grouping} ({inner})")),
            // Of equal values it is open which stay, and their sum is the same.
            1 => (select(vec!["topk", "bottomk"]), grouping(), 0i32..4, inner.clone())
                .prop_map(|(op, grouping, k, inner)| format!("sum{grouping} ({op}{grouping} ({k}, {inner}))")),
            1 => (select(vec!["abs({})", "sgn({})", "clamp_min({}, 50)", "clamp_max({}, 120)", "-({})", "+({})",
                "floor({} / 3)", "ceil({} / 2)", "vector(scalar({}))"]), inner.clone())
                .prop_map(|(function, inner)| with(function, &inner)),
            2 => (select(ops.clone()), inner.clone(), 0i32..120)
                .prop_map(|(op, inner, number)| format!("({inner}) {op} {number}")),
            1 => (select(ops), inner.clone(), 0i32..120)
                .prop_map(|(op, inner, number)| format!("{number} {op} ({inner})")),
            2 => (select(pair_ops), matching(), pair.clone())
                .prop_map(|(op, matching, (left, right))| format!("({left}) {op}{matching} ({right})")),
            2 => (select(vec!["and", "or", "unless"]), set_matching(), pair)
                .prop_map(|(op, matching, (left, right))| format!("({left}) {op}{matching} ({right})")),
        ]
    })
}

/// Any vector, of what does not jump where a value is a little off: no comparisons, no quotients of series.
pub(super) fn expression() -> impl Strategy<Value = String> {
    let exact = exact().boxed();
    let rounded = (select(ROUNDED.to_vec()), matrix(exact.clone()))
        .prop_map(|(function, matrix)| with(function, &matrix));
    let base = prop_oneof![2 => exact, 3 => rounded];
    base.prop_recursive(3, 12, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            3 => (select(vec!["sum", "avg", "min", "max", "count", "stddev", "stdvar", "quantile"]), grouping(), inner.clone())
                .prop_map(|(op, grouping, inner)| {
                    let parameter = if op == "quantile" { "0.7, " } else { "" };
                    format!("{op}{grouping} ({parameter}{inner})")
                }),
            1 => (select(vec!["abs({})", "-({})", "exp({} / 1000)", "clamp_max({}, 3.5)", "({}) * 2.5",
                "({}) / 7", "({}) - time() / 1000", "({}) ^ 2", "({}) atan2 3", "timestamp({})"]), inner.clone())
                .prop_map(|(function, inner)| with(function, &inner)),
            1 => (select(vec!["+", "-", "*"]), matching(), pair.clone())
                .prop_map(|(op, matching, (left, right))| format!("({left}) {op}{matching} ({right})")),
            1 => (select(vec!["and", "or", "unless"]), set_matching(), pair)
                .prop_map(|(op, matching, (left, right))| format!("({left}) {op}{matching} ({right})")),
        ]
    })
}
