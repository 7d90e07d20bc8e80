//! `query_exemplars`: the exemplars of the series that an expression's selectors mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use barograph_engine::Snapshot;
use barograph_model::{Exemplar, Labels, Matcher, TimeRange};
use barograph_promql::syntax::{Expr, ExprKind};
use barograph_promql::{Annotations, Interrupt};
use barograph_query::promql::PromqlError;

use super::PrometheusSource;
use super::caller::Caller;
use super::error::ApiError;
use super::json::{answer, push_float, push_labels, push_timestamp, tail};
use super::parameters::Parameters;

/// Exemplars of one answer. Prometheus keeps fewer at all.
const EXEMPLARS_MAX: usize = 100_000;

type Found = BTreeMap<Arc<Labels>, Vec<Exemplar>>;

/// `/api/v1/query_exemplars`.
pub(super) async fn exemplars(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let range = parameters.range()?;
    if range.end < range.start {
        let reason = "end timestamp must not be before start timestamp";
        return Err(ApiError::parameter("end", reason));
    }
    let text: Arc<str> = Arc::from(parameters.get("query"));
    let selectors = api.promql.parsed(&caller, text, |expr| {
        let mut selectors = Vec::new();
        gather(expr, &mut selectors);
        selectors
    });
    let selectors = selectors.await?;
    let promql = Arc::clone(&api.promql);
    let read = move |interrupt: &Interrupt| read(&promql.snapshot(), &selectors, range, interrupt);
    let (found, is_cut) = api.promql.read(&caller, read).await?;
    let mut notes = Annotations::default();
    if is_cut {
        notes.warnings.push(super::query::TRUNCATED.to_owned());
    }
    Ok(respond(&found, &notes))
}

/// The matchers of every selector in an expression.
fn gather(expr: &Expr, selectors: &mut Vec<Vec<Matcher>>) {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => {}
        ExprKind::Vector(vector) => selectors.push(vector.matchers.clone()),
        ExprKind::Matrix(matrix) => selectors.push(matrix.vector.matchers.clone()),
        ExprKind::Subquery(subquery) => gather(&subquery.expr, selectors),
        ExprKind::Call(call) => call.args.iter().for_each(|arg| gather(arg, selectors)),
        ExprKind::Aggregate(aggregate) => {
            gather(&aggregate.expr, selectors);
            aggregate.param.iter().for_each(|param| gather(param, selectors));
        }
        ExprKind::Binary(binary) => {
            gather(&binary.lhs, selectors);
            gather(&binary.rhs, selectors);
        }
        ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => gather(expr, selectors),
    }
}

/// The exemplars by series, ascending in time, and whether there are more of them.
fn read(
    snapshot: &Snapshot,
    selectors: &[Vec<Matcher>],
    range: TimeRange,
    interrupt: &Interrupt,
) -> Result<(Found, bool), PromqlError> {
    let mut found = Found::new();
    let (mut count, mut rows) = (0, Vec::new());
    for matchers in selectors {
        let set = snapshot.select(matchers, range)?;
        let mut scan = snapshot.exemplars(&set, range);
        let mut of_selector = Found::new();
        while let Some(position) = scan.next_series(&mut rows)? {
            interrupt.check()?;
            let labels = set.labels(position)?;
            // Another selector may have meant the same series.
            if found.contains_key(&labels) {
                continue;
            }
            count += rows.len();
            let exemplars = rows.drain(..).map(|(_, exemplar)| exemplar);
            of_selector.entry(labels).or_default().extend(exemplars);
            if count > EXEMPLARS_MAX {
                found.append(&mut of_selector);
                return Ok((found, true));
            }
        }
        found.append(&mut of_selector);
    }
    Ok((found, false))
}

fn respond(found: &Found, notes: &Annotations) -> Response {
    let mut out = br#"{"status":"success","data":["#.to_vec();
    for (i, (labels, exemplars)) in found.iter().enumerate() {
        out.extend_from_slice(if i == 0 {
            &br#"{"seriesLabels":"#[..]
        } else {
            br#",{"seriesLabels":"#
        });
        push_labels(&mut out, labels);
        out.extend_from_slice(br#","exemplars":["#);
        for (i, exemplar) in exemplars.iter().enumerate() {
            out.extend_from_slice(if i == 0 {
                &br#"{"labels":"#[..]
            } else {
                br#",{"labels":"#
            });
            push_labels(&mut out, &exemplar.labels);
            out.extend_from_slice(br#","value":"#);
            push_float(&mut out, exemplar.value);
            out.extend_from_slice(br#","timestamp":"#);
            push_timestamp(&mut out, exemplar.ts.0);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
    out.extend(tail(notes));
    answer(Body::from(out))
}
