//! `/federate`: the latest sample of the series that `match[]` selects, as text for another Prometheus to scrape.
//!
//! Source: Prometheus, "Federation"; "Exposition formats"; OpenMetrics 1.0. Native histograms have no text and are left
//! out, as Prometheus leaves them out of its text.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use barograph_engine::{SeriesRows, Snapshot};
use barograph_model::{Labels, METRIC_NAME, Matcher, TimeRange, is_stale};
use barograph_promql::{Interrupt, float_text};
use barograph_query::promql::PromqlError;

use super::PrometheusSource;
use super::caller::Caller;
use super::error::ApiError;
use super::parameters::Parameters;

/// What a scraper takes, by its `Accept`.
#[derive(Debug, Clone, Copy)]
struct Format {
    is_openmetrics: bool,
    /// whether names may be any text, in quotes; what may not stand in a plain name is an underscore otherwise
    takes_utf8: bool,
}

impl Format {
    fn of(accept: &str) -> Self {
        Self {
            is_openmetrics: accept.contains("application/openmetrics-text"),
            takes_utf8: accept.contains("escaping=allow-utf-8"),
        }
    }

    fn content_type(self) -> &'static str {
        match (self.is_openmetrics, self.takes_utf8) {
            (true, true) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
            (true, false) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
            (false, true) => "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            (false, false) => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
        }
    }
}

/// What a scrape without an instance gets, so that the scraping Prometheus does not put its own there.
const INSTANCE: &str = "instance";

/// A series with its latest sample.
type Latest = (Arc<Labels>, i64, f64);

/// `/federate`.
pub(super) async fn federate(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    headers: HeaderMap,
    parameters: Parameters,
) -> Response {
    match text(&api, &caller, &headers, &parameters).await {
        Ok(response) => response,
        Err(error) => error.into_text(),
    }
}

async fn text(
    api: &PrometheusSource,
    caller: &Arc<str>,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, ApiError> {
    let selectors = parameters.selectors().map_err(ApiError::bad_data)?;
    let now = api.clock.now();
    // As for a query, the instant at the far end of the lookback is outside.
    let range = TimeRange {
        start: now.saturating_add(1 - api.promql.limits().lookback_ms),
        end: now,
    };
    let promql = Arc::clone(&api.promql);
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::of(accept.unwrap_or_default());
    let read = move |interrupt: &Interrupt| {
        let latest = latest(&promql.snapshot(), &selectors, range, interrupt)?;
        Ok(render(&latest, format))
    };
    let text = api.promql.read(caller, read).await?;
    let mut response = text.into_response();
    let content_type = HeaderValue::from_static(format.content_type());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}

/// The latest samples that are not staleness markers, each series once, sorted by metric and labels.
fn latest(
    snapshot: &Snapshot,
    selectors: &[Vec<Matcher>],
    range: TimeRange,
    interrupt: &Interrupt,
) -> Result<Vec<Latest>, PromqlError> {
    let mut found: Vec<Latest> = Vec::new();
    let mut rows = SeriesRows::default();
    for matchers in selectors {
        let set = snapshot.select(matchers, range)?;
        let mut reader = snapshot.scan_series(&set, range).open(0..set.len())?;
        while let Some(position) = reader.next_series(&mut rows)? {
            if position % 256 == 0 {
                interrupt.check()?;
            }
            if let (Some(ts), Some(value)) = (rows.ts.last(), rows.values.last())
                && !is_stale(*value)
            {
                found.push((set.labels(position)?, *ts, *value));
            }
        }
    }
    found.sort_by(|(a, ..), (b, ..)| (a.metric(), a).cmp(&(b.metric(), b)));
    found.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

fn render(samples: &[Latest], format: Format) -> String {
    let mut out = String::new();
    let mut family = "";
    for (labels, ts, value) in samples {
        let metric = labels.metric();
        if metric.is_empty() {
            continue;
        }
        if metric != family {
            let kind = if format.is_openmetrics {
                "unknown"
            } else {
                "untyped"
            };
            let _ = writeln!(out, "# TYPE {} {kind}", shown_name(metric, format));
            family = metric;
        }
        write_series(&mut out, labels, format);
        let value = float_text(*value);
        let _ = match format.is_openmetrics {
            true => writeln!(out, " {value} {}", *ts as f64 / 1e3),
            false => writeln!(out, " {value} {ts}"),
        };
    }
    if format.is_openmetrics {
        out.push_str("# EOF\n");
    }
    out
}

/// `up{instance="a",job="b"}`, or `{"my.metric",job="b",instance=""}` where the name is in quotes.
fn write_series(out: &mut String, labels: &Labels, format: Format) {
    let metric = shown_name(labels.metric(), format);
    let mut comma = "";
    if metric.starts_with('"') {
        let _ = write!(out, "{{{metric}");
        comma = ",";
    } else {
        let _ = write!(out, "{metric}{{");
    }
    for (name, value) in labels.iter().filter(|(name, _)| *name != METRIC_NAME) {
        let _ = write!(out, "{comma}{}={}", shown_name(name, format), quoted(value));
        comma = ",";
    }
    if labels.get(INSTANCE).is_empty() {
        let _ = write!(out, "{comma}{INSTANCE}=\"\"");
    }
    out.push('}');
}

/// A name as the scraper can read it.
fn shown_name(name: &str, format: Format) -> Cow<'_, str> {
    if is_plain_name(name) {
        return Cow::Borrowed(name);
    }
    if format.takes_utf8 {
        return Cow::Owned(quoted(name));
    }
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let mut shown: String = name.chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
    if shown.starts_with(|c: char| c.is_ascii_digit()) {
        shown.insert(0, '_');
    }
    Cow::Owned(shown)
}

/// A label value in quotes, with the three escapes that the format knows.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// Whether a name needs no quotes.
fn is_plain_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pairs: &[(&str, &str)], ts: i64, value: f64) -> Latest {
        (
            Arc::new(Labels::from_pairs(pairs.iter().copied()).unwrap()),
            ts,
            value,
        )
    }

    #[test]
    fn writes_both_formats() {
        let samples = [
            sample(&[("__name__", "my.metric"), ("a", "x\"y\\\n")], 1500, 0.5),
            sample(&[("__name__", "up"), ("instance", "a:1")], 2000, 1.0),
            sample(&[("__name__", "up"), ("job", "b")], 2000, f64::INFINITY),
            sample(&[("job", "nameless")], 2000, 1.0),
        ];
        let format = |accept| Format::of(accept);
        assert_eq!(
            render(&samples, format("text/plain; escaping=allow-utf-8")),
            "# TYPE \"my.metric\" untyped\n\
             {\"my.metric\",a=\"x\\\"y\\\\\\n\",instance=\"\"} 0.5 1500\n\
             # TYPE up untyped\n\
             up{instance=\"a:1\"} 1 2000\n\
             up{job=\"b\",instance=\"\"} +Inf 2000\n"
        );
        let openmetrics = render(
            &samples[..2],
            format("application/openmetrics-text;version=1.0.0"),
        );
        assert_eq!(
            openmetrics,
            "# TYPE my_metric unknown\n\
             my_metric{a=\"x\\\"y\\\\\\n\",instance=\"\"} 0.5 1.5\n\
             # TYPE up unknown\n\
             up{instance=\"a:1\"} 1 2\n\
             # EOF\n"
        );
    }
}
