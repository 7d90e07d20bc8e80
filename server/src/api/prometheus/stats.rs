//! What a query cost, for `stats=all`: Prometheus' figures, and beside them what each selector could leave alone.

use barograph_query::promql::{PromqlAnswer, SelectorCost};
use serde::Serialize;

use super::json::{push_json, push_timestamp};
use crate::query_log::Selector;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    eval_total_time: f64,
    result_sort_time: f64,
    query_preparation_time: f64,
    inner_eval_time: f64,
    exec_queue_time: f64,
    exec_total_time: f64,
}

/// The JSON of `stats`.
pub(super) fn stats_json(text: &str, found: &PromqlAnswer) -> Vec<u8> {
    let (times, stats) = (&found.times, &found.answer.stats);
    let seconds = |ns: u64| ns as f64 / 1e9;
    let timings = Timings {
        eval_total_time: seconds(times.prepared_ns.saturating_add(times.evaluated_ns)),
        // Sorting is part of the evaluation here.
        result_sort_time: 0.0,
        query_preparation_time: seconds(times.prepared_ns),
        inner_eval_time: seconds(times.evaluated_ns),
        exec_queue_time: seconds(times.queued_ns),
        exec_total_time: seconds(times.total_ns),
    };
    let mut out = br#"{"timings":"#.to_vec();
    push_json(&mut out, &timings);
    out.extend_from_slice(br#","samples":{"#);
    if !stats.samples_by_step.is_empty() {
        out.extend_from_slice(br#""totalQueryableSamplesPerStep":["#);
        for (i, (ts, samples)) in stats.samples_by_step.iter().enumerate() {
            out.extend_from_slice(if i == 0 { &b"["[..] } else { b",[" });
            push_timestamp(&mut out, *ts);
            out.extend_from_slice(format!(",{samples}]").as_bytes());
        }
        out.extend_from_slice(b"],");
    }
    let (total, peak) = (stats.samples_total, stats.samples_peak);
    let samples = format!(r#""totalQueryableSamples":{total},"peakSamples":{peak}}},"selectors":"#);
    out.extend_from_slice(samples.as_bytes());
    let costs = SelectorCost::of(text, stats);
    let selectors: Vec<Selector<'_>> = costs.iter().map(Selector::of).collect();
    push_json(&mut out, &selectors);
    out.push(b'}');
    out
}
