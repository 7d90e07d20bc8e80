//! Answers of Prometheus' query API with all their labels, and where two of them differ.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Values differ when they are further apart than this part of the larger one: sums depend on the order of adding.
const TOLERANCE: f64 = 1e-9;

/// What an answer says, whatever the order in which it says so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vectors {
    /// By labels.
    series: BTreeMap<Vec<(String, String)>, Vec<Point>>,
}

/// An instant in milliseconds and the value there.
type Point = (i64, f64);

impl Vectors {
    /// Reads a vector or a matrix.
    ///
    /// # Errors
    /// When the text is something else, or says the same series twice.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let whole: Value = serde_json::from_str(text).context("an answer is not JSON")?;
        let beginning = || {
            format!(
                "an answer has another form: {}",
                &text[..text.floor_char_boundary(300)]
            )
        };
        let result = whole["data"]["result"].as_array().with_context(beginning)?;
        let mut series = BTreeMap::new();
        for one in result {
            let (labels, points) = one_series(one).with_context(beginning)?;
            let shown = shown(&labels);
            if series.insert(labels, points).is_some() {
                bail!("an answer has {shown} twice");
            }
        }
        Ok(Self { series })
    }

    /// Series and points in it.
    #[must_use]
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.series.len(), self.series.values().map(Vec::len).sum())
    }

    /// The first difference from what is right, in words; nothing where there is none.
    #[must_use]
    pub(crate) fn difference(&self, right: &Self) -> Option<String> {
        if let Some(missing) = right
            .series
            .keys()
            .find(|labels| !self.series.contains_key(*labels))
        {
            return Some(format!("{} is not there", shown(missing)));
        }
        for (labels, points) in &self.series {
            let Some(right) = right.series.get(labels) else {
                return Some(format!("{} is not in the right answer", shown(labels)));
            };
            if points.len() != right.len() {
                let (found, right) = (points.len(), right.len());
                return Some(format!("{} has {found} points instead of {right}", shown(labels)));
            }
            let differs = |(a, b): &(&Point, &Point)| a.0 != b.0 || !close(a.1, b.1);
            if let Some((found, right)) = points.iter().zip(right).find(differs) {
                return Some(format!(
                    "{} is {} at {} ms instead of {} at {} ms",
                    shown(labels),
                    found.1,
                    found.0,
                    right.1,
                    right.0
                ));
            }
        }
        None
    }
}

/// Names and values of labels, sorted.
type Pairs = Vec<(String, String)>;

fn one_series(series: &Value) -> Option<(Pairs, Vec<Point>)> {
    let labels = series["metric"].as_object()?.iter();
    let labels = labels.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let mut labels: Vec<_> = labels.collect::<Option<_>>()?;
    labels.sort();
    let points = match series["values"].as_array() {
        Some(values) => values.iter().map(point).collect::<Option<_>>()?,
        None => vec![point(&series["value"])?],
    };
    Some((labels, points))
}

fn point(pair: &Value) -> Option<Point> {
    let ms = (pair[0].as_f64()? * 1e3).round() as i64;
    Some((ms, pair[1].as_str()?.parse().ok()?))
}

fn close(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

fn shown(labels: &[(String, String)]) -> String {
    let mut text = "{".to_owned();
    for (i, (name, value)) in labels.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        // Writing to a String does not fail.
        let _ = write!(text, "{comma}{name}={value:?}");
    }
    text + "}"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(result: &str) -> Vectors {
        Vectors::read(&format!(
            r#"{{"status":"success","data":{{"result":[{result}]}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn order_and_last_digits_make_no_difference() {
        let a = r#"{"metric":{"a":"1","b":"2"},"values":[[1.5,"0.3"],[2.5,"NaN"]]}"#;
        let b = r#"{"metric":{},"value":[1.5,"+Inf"]}"#;
        let same = a.replace("0.3", "0.30000000000000004");
        let one = vectors(&format!("{a},{b}"));
        assert_eq!(vectors(&format!("{b},{same}")).difference(&one), None);
        assert_eq!(one.size(), (2, 3));
    }

    #[test]
    fn a_difference_is_named() {
        let one = vectors(r#"{"metric":{"a":"1"},"values":[[1.5,"1"],[2.5,"2"]]}"#);
        let cases = [
            ("", r#"{a="1"} is not there"#),
            (
                r#"{"metric":{"a":"1"},"values":[[1.5,"1"]]}"#,
                r#"{a="1"} has 1 points instead of 2"#,
            ),
            (
                r#"{"metric":{"a":"1"},"values":[[1.5,"1"],[2.5,"2.1"]]}"#,
                r#"{a="1"} is 2.1 at 2500 ms instead of 2 at 2500 ms"#,
            ),
            (
                r#"{"metric":{"a":"1"},"values":[[1.5,"1"],[2.5,"2"]]},{"metric":{},"value":[1,"1"]}"#,
                "{} is not in the right answer",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(vectors(text).difference(&one).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let twice = r#"{"data":{"result":[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"1"]}]}}"#;
        for text in ["", "{}", r#"{"data":{"result":[{"metric":{}}]}}"#, twice] {
            assert!(Vectors::read(text).is_err(), "{text}");
        }
    }
}
