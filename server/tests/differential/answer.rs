//! Answers of Prometheus' HTTP API, and where two of them differ.

use std::collections::BTreeMap;

use serde_json::Value;

/// The relative difference of two values that is let pass.
const EPSILON: f64 = 1e-9;

/// The values of each series by instant, in milliseconds.
type Series = BTreeMap<i64, f64>;

/// What a query gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The type of the result, and its series by their labels. A scalar has none.
    Series(String, BTreeMap<String, Series>),
    Text(String),
    /// The type of the error, as it stands in `errorType`.
    Error(String),
}

impl Answer {
    /// Reads the body of an answer.
    ///
    /// # Panics
    /// Where it is not what the API promises.
    pub fn of(body: &Value) -> Self {
        if let Some(error) = body["errorType"].as_str() {
            return Self::Error(error.to_owned());
        }
        assert_eq!(body["status"], "success", "{body}");
        let data = &body["data"];
        let kind = data["resultType"].as_str().unwrap();
        let one = |value: &Value| Series::from([point(value)]);
        let series = match kind {
            "string" => return Self::Text(data["result"][1].as_str().unwrap().to_owned()),
            "scalar" => BTreeMap::from([(String::new(), one(&data["result"]))]),
            _ => {
                let series = data["result"].as_array().unwrap().iter().map(|series| {
                    let values = match &series["values"] {
                        Value::Array(values) => values.iter().map(point).collect(),
                        _ => one(&series["value"]),
                    };
                    (series["metric"].to_string(), values)
                });
                series.collect()
            }
        };
        Self::Series(kind.to_owned(), series)
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Series(_, series) => series.values().map(BTreeMap::len).sum(),
            Self::Text(_) | Self::Error(_) => 1,
        }
    }

    /// The first difference from another answer.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let (Self::Series(kind, series), Self::Series(other_kind, others)) = (self, other) else {
            return (self != other).then(|| format!("{self:?} and {other:?}"));
        };
        if kind != other_kind {
            return Some(format!("a {kind} and a {other_kind}"));
        }
        for labels in series.keys().chain(others.keys()) {
            let (Some(values), Some(others)) = (series.get(labels), others.get(labels)) else {
                return Some(format!("{labels} is only there in one"));
            };
            for ts in values.keys().chain(others.keys()) {
                match (values.get(ts), others.get(ts)) {
                    (Some(a), Some(b)) if are_close(*a, *b) => {}
                    (a, b) => return Some(format!("{labels} at {ts}: {a:?} and {b:?}")),
                }
            }
        }
        None
    }
}

/// `[1767225600.007, "1.5"]`
fn point(value: &Value) -> (i64, f64) {
    let ms = (value[0].as_f64().unwrap() * 1000.0).round() as i64;
    let text = value[1].as_str().unwrap();
    (
        ms,
        text.parse().unwrap_or_else(|_| panic!("{text:?} is no number")),
    )
}

fn are_close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= EPSILON * a.abs().max(b.abs())
}

/// The labels of an instant vector in the order of the answer.
pub fn order(body: &Value) -> Vec<String> {
    let series = body["data"]["result"].as_array().map_or(&[][..], Vec::as_slice);
    series.iter().map(|series| series["metric"].to_string()).collect()
}
