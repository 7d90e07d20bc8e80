//! The answer to a query as JSON, in pieces: `{"resultType":"matrix","result":[...]}`.

use axum::body::{Body, Bytes};
use axum::response::Response;
use barograph_promql::{Annotations, InstantSeries, Point, QueryValue, RangeSeries, SampleValue};
use futures::stream;

use super::json::{answer, push_float, push_json, push_labels, push_timestamp, tail};

/// A piece is handed on when it is this long.
const PIECE_BYTES: usize = 64 << 10;

/// Keeps so many series of a result; says whether some were left out.
pub(super) fn truncate(value: &mut QueryValue, limit: usize) -> bool {
    match value {
        QueryValue::Vector(series) if series.len() > limit => series.truncate(limit),
        QueryValue::Matrix(series) if series.len() > limit => series.truncate(limit),
        _ => return false,
    }
    true
}

/// The whole answer, written while it is sent. `stats` is JSON.
pub(super) fn respond(value: QueryValue, stats: Option<Vec<u8>>, notes: &Annotations) -> Response {
    let pieces = Pieces::new(value, stats, notes);
    answer(Body::from_stream(stream::iter(
        pieces.map(Ok::<_, std::convert::Infallible>),
    )))
}

/// What is left to write.
enum Rest {
    Nothing,
    Vector(std::vec::IntoIter<InstantSeries>),
    /// and the series that is being written, with the number of its next point
    Matrix(std::vec::IntoIter<RangeSeries>),
}

struct Pieces {
    out: Vec<u8>,
    rest: Rest,
    is_first: bool,
    /// until it is written
    end: Option<Vec<u8>>,
}

impl Pieces {
    fn new(value: QueryValue, stats: Option<Vec<u8>>, notes: &Annotations) -> Self {
        let mut out = br#"{"status":"success","data":{"resultType":""#.to_vec();
        let mut end = Vec::new();
        let rest = match value {
            QueryValue::Scalar { ts, value } => {
                out.extend_from_slice(br#"scalar","result":["#);
                push_timestamp(&mut out, ts);
                out.push(b',');
                push_float(&mut out, value);
                Rest::Nothing
            }
            QueryValue::String { ts, text } => {
                out.extend_from_slice(br#"string","result":["#);
                push_timestamp(&mut out, ts);
                out.push(b',');
                push_json(&mut out, &text);
                Rest::Nothing
            }
            QueryValue::Vector(series) => {
                out.extend_from_slice(br#"vector","result":["#);
                Rest::Vector(series.into_iter())
            }
            QueryValue::Matrix(series) => {
                out.extend_from_slice(br#"matrix","result":["#);
                Rest::Matrix(series.into_iter())
            }
        };
        end.push(b']');
        if let Some(stats) = stats {
            end.extend_from_slice(br#","stats":"#);
            end.extend(stats);
        }
        end.push(b'}');
        end.extend(tail(notes));
        Self {
            out,
            rest,
            is_first: true,
            end: Some(end),
        }
    }

    /// Writes the next series; false behind the last.
    fn write_series(&mut self) -> bool {
        let out = &mut self.out;
        let mut begin = |out: &mut Vec<u8>, labels| {
            if !std::mem::take(&mut self.is_first) {
                out.push(b',');
            }
            out.extend_from_slice(br#"{"metric":"#);
            push_labels(out, labels);
        };
        match &mut self.rest {
            Rest::Nothing => return false,
            Rest::Vector(series) => {
                let Some(series) = series.next() else {
                    return false;
                };
                begin(out, &series.labels);
                let key: &[u8] = match series.point.value {
                    SampleValue::Float(_) => br#","value":"#,
                    SampleValue::Histogram(_) => br#","histogram":"#,
                };
                out.extend_from_slice(key);
                push_point(out, &series.point);
            }
            Rest::Matrix(series) => {
                let Some(series) = series.next() else {
                    return false;
                };
                begin(out, &series.labels);
                let is_float = |point: &&Point| matches!(point.value, SampleValue::Float(_));
                push_points(out, br#","values":["#, series.points.iter().filter(is_float));
                let histograms = series.points.iter().filter(|point| !is_float(point));
                push_points(out, br#","histograms":["#, histograms);
            }
        }
        out.push(b'}');
        true
    }
}

fn push_points<'a>(out: &mut Vec<u8>, key: &[u8], points: impl Iterator<Item = &'a Point>) {
    let mut is_first = true;
    for point in points {
        out.extend_from_slice(if is_first { key } else { b"," });
        is_first = false;
        push_point(out, point);
    }
    if !is_first {
        out.push(b']');
    }
}

fn push_point(out: &mut Vec<u8>, point: &Point) {
    out.push(b'[');
    push_timestamp(out, point.ts);
    out.push(b',');
    match &point.value {
        SampleValue::Float(value) => push_float(out, *value),
        SampleValue::Histogram(histogram) => push_json(out, &histogram.to_json()),
    }
    out.push(b']');
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.out.len() < PIECE_BYTES {
            if !self.write_series() {
                let end = self.end.take()?;
                self.out.extend(end);
                return Some(Bytes::from(std::mem::take(&mut self.out)));
            }
        }
        Some(Bytes::from(std::mem::take(&mut self.out)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use barograph_model::Labels;

    use super::*;

    fn text(value: QueryValue) -> String {
        let pieces: Vec<Bytes> = Pieces::new(value, None, &Annotations::default()).collect();
        String::from_utf8(pieces.concat()).unwrap()
    }

    fn labels(instance: &str) -> Arc<Labels> {
        Arc::new(Labels::from_pairs([("__name__", "up"), ("instance", instance)]).unwrap())
    }

    fn point(ts: i64, value: f64) -> Point {
        Point {
            ts,
            value: SampleValue::Float(value),
        }
    }

    #[test]
    fn results_have_prometheus_shapes() {
        let vector = QueryValue::Vector(vec![InstantSeries {
            labels: labels("a\"b"),
            point: point(1_435_781_451_781, 1.0),
        }]);
        assert_eq!(
            text(vector),
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"a\"b"},"value":[1435781451.781,"1"]}]}}"#
        );
        let matrix = QueryValue::Matrix(vec![RangeSeries {
            labels: labels("a"),
            points: vec![point(0, 1e21), point(15_000, f64::NAN)],
        }]);
        assert_eq!(
            text(matrix),
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"a"},"values":[[0,"1e+21"],[15,"NaN"]]}]}}"#
        );
        assert_eq!(
            text(QueryValue::Scalar { ts: 1000, value: 2.5 }),
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2.5"]}}"#
        );
        assert_eq!(
            text(QueryValue::String {
                ts: 1000,
                text: "a\n".to_owned()
            }),
            r#"{"status":"success","data":{"resultType":"string","result":[1,"a\n"]}}"#
        );
        assert_eq!(
            text(QueryValue::Vector(Vec::new())),
            r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#
        );
    }

    #[test]
    fn a_long_answer_comes_in_pieces() {
        let series = |i: usize| RangeSeries {
            labels: labels(&i.to_string()),
            points: (0..1000).map(|step| point(step * 1000, 0.1)).collect(),
        };
        let value = QueryValue::Matrix((0..50).map(series).collect());
        let pieces: Vec<Bytes> = Pieces::new(value, None, &Annotations::default()).collect();
        assert!(pieces.len() > 5, "{}", pieces.len());
        let parsed: serde_json::Value = serde_json::from_slice(&pieces.concat()).unwrap();
        assert_eq!(parsed["data"]["result"].as_array().unwrap().len(), 50);
    }
}
