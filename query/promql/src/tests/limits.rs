//! Every query ends within its limits, gives back what it has drawn, and says what it has read.

use std::sync::Arc;

use barograph_model::{Labels, MemoryBudget, MemoryShare};

use super::random::FloatSeries;
use super::random::store;
use super::store::{Layout, Store};
use crate::syntax::{ParseOptions, parse};
use crate::{Answer, EvalOptions, Grid, Interrupt, Query, QueryError, QueryValue, SampleValue};

/// Expressions of every kind over the data below.
const EXPRESSIONS: [&str; 12] = [
    "m",
    "rate(m[10m])",
    "sum by (i) (m)",
    "topk(3, m)",
    "quantile(0.5, m)",
    "count_values(\"v\", m)",
    "m + m",
    "m or m offset 1m",
    "max_over_time(rate(m[1m])[10m:10s])",
    "label_replace(m, \"x\", \"$1\", \"i\", \"(.*)\")",
    "sort(m)",
    "m[30m]",
];

/// 20 series with a sample every 10 seconds in half an hour.
fn filled() -> Store {
    let series = (0..20).map(|i| FloatSeries {
        labels: Labels::from_pairs([("__name__", "m"), ("i", &format!("{i}"))]).unwrap(),
        samples: (1..=180).map(|k| (k * 10_000, f64::from(i))).collect(),
    });
    store(Layout::Half, &series.collect::<Vec<_>>())
}

fn ask(
    store: &Store,
    text: &str,
    grid: Grid,
    options: &EvalOptions,
    interrupt: &Interrupt,
) -> Result<Answer, QueryError> {
    let query = Query {
        text: text.into(),
        expr: parse(text, &ParseOptions::experimental()).unwrap(),
        grid,
        is_range: grid.len() > 1,
    };
    store.ask(&query, options, interrupt)
}

/// The steps of a query; one alone where it may have no more.
fn steps(text: &str) -> Grid {
    if text.ends_with(']') {
        Grid::instant(1_800_000)
    } else {
        Grid::range(600_000, 1_800_000, 10_000).unwrap()
    }
}

#[test]
fn too_many_samples_are_refused() {
    let store = filled();
    let options = EvalOptions {
        samples_max: 15,
        ..EvalOptions::default()
    };
    for text in EXPRESSIONS {
        match ask(&store, text, steps(text), &options, &Interrupt::default()) {
            Err(QueryError::Execution(message)) => assert_eq!(
                message, "query processing would load too many samples into memory in query execution",
                "{text}"
            ),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn whoever_does_not_wait_gets_no_answer() {
    let store = filled();
    for text in EXPRESSIONS {
        let ask_interrupted =
            |interrupt: &Interrupt| ask(&store, text, steps(text), &EvalOptions::default(), interrupt);
        let (canceled, late) = (Interrupt::default(), Interrupt::default());
        canceled.cancel();
        late.time_out();
        assert!(
            matches!(ask_interrupted(&canceled), Err(QueryError::Canceled)),
            "{text}"
        );
        assert!(
            matches!(ask_interrupted(&late), Err(QueryError::Timeout)),
            "{text}"
        );
    }
}

#[test]
fn memory_is_given_back() {
    let store = filled();
    let memory = Arc::new(MemoryBudget::unlimited());
    let options = EvalOptions {
        memory: Arc::clone(&memory),
        ..EvalOptions::default()
    };
    let small = EvalOptions {
        samples_max: 1_000,
        ..options.clone()
    };
    for text in EXPRESSIONS {
        let answer = ask(&store, text, steps(text), &options, &Interrupt::default());
        assert!(answer.unwrap().stats.samples_peak > 0, "{text}");
        drop(ask(&store, text, steps(text), &small, &Interrupt::default()));
        assert_eq!(memory.used_bytes(MemoryShare::Queries), 0, "{text}");
    }
}

#[test]
fn samples_are_counted_by_step() {
    let store = filled();
    let options = EvalOptions {
        per_step_stats: true,
        ..EvalOptions::default()
    };
    // Windows of 7 minutes with a sample every 10 seconds; each step of the second reads one sample a series.
    for (text, of_step) in [
        ("count_over_time(m[7m])", 20 * 42),
        ("m", 20),
        ("sum(m)", 20),
        ("m * m", 40),
    ] {
        let answer = ask(&store, text, steps(text), &options, &Interrupt::default()).unwrap();
        let grid = steps(text);
        assert_eq!(answer.stats.samples_total, of_step * grid.len() as u64, "{text}");
        let expected: Vec<_> = grid.iter().map(|ts| (ts, of_step)).collect();
        assert_eq!(answer.stats.samples_by_step, expected, "{text}");
    }
}

#[test]
fn what_a_function_counts_is_what_is_counted() {
    let store = filled();
    for range in ["1s", "10s", "95s", "29m"] {
        let text = format!("count_over_time(m[{range}])");
        let answer = ask(
            &store,
            &text,
            steps(&text),
            &EvalOptions::default(),
            &Interrupt::default(),
        )
        .unwrap();
        let QueryValue::Matrix(series) = answer.value else {
            panic!("{text} is no matrix");
        };
        let points = series.iter().flat_map(|one| &one.points);
        let counted: f64 = points
            .map(|point| match point.value {
                SampleValue::Float(float) => float,
                SampleValue::Histogram(_) => f64::NAN,
            })
            .sum();
        assert_eq!(counted, answer.stats.samples_total as f64, "{text}");
    }
}
