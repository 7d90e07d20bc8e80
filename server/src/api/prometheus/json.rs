//! JSON as Prometheus writes it, straight into bytes: an answer may have millions of points.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use barograph_model::Labels;
use barograph_promql::Annotations;
use barograph_promql::histogram::api_float;
use serde::Serialize;

/// Warnings, and infos, that are shown.
const NOTES_MAX: usize = 10;

/// Writes anything that serde knows.
pub(super) fn push_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        // A vector takes every byte, and no type here has keys that are not texts.
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// Writes `{"name":"value",...}`.
pub(super) fn push_labels(out: &mut Vec<u8>, labels: &Labels) {
    push_json(out, labels);
}

/// Writes an instant as seconds: `1435781430.781`.
pub(super) fn push_timestamp(out: &mut Vec<u8>, ms: i64) {
    if ms < 0 {
        out.push(b'-');
    }
    let ms = ms.unsigned_abs();
    let (seconds, fraction) = (ms / 1000, ms % 1000);
    out.extend_from_slice(seconds.to_string().as_bytes());
    if fraction != 0 {
        out.extend_from_slice(format!(".{fraction:03}").as_bytes());
    }
}

/// Writes a float in quotes.
pub(super) fn push_float(out: &mut Vec<u8>, value: f64) {
    out.push(b'"');
    out.extend_from_slice(api_float(value).as_bytes());
    out.push(b'"');
}

/// The end of an answer: what there is to say about it, and the closing brace.
pub(super) fn tail(notes: &Annotations) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, plural, texts) in [
        ("warnings", "warning", &notes.warnings),
        ("infos", "info", &notes.infos),
    ] {
        if texts.is_empty() {
            continue;
        }
        let mut shown = texts.clone();
        if shown.len() > NOTES_MAX {
            shown.truncate(NOTES_MAX);
            let more = texts.len() - NOTES_MAX;
            shown.push(format!("{more} more {plural} annotations omitted"));
        }
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        push_json(&mut out, &shown);
    }
    out.push(b'}');
    out
}

/// `{"status":"success","data":...}` of something small.
pub(super) fn success(data: &(impl Serialize + ?Sized), notes: &Annotations) -> Response {
    let mut out = br#"{"status":"success","data":"#.to_vec();
    push_json(&mut out, data);
    out.extend(tail(notes));
    answer(Body::from(out))
}

/// A body of JSON.
pub(super) fn answer(body: Body) -> Response {
    let mut response = body.into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_as_prometheus_does() {
        let timestamp = |ms| {
            let mut out = Vec::new();
            push_timestamp(&mut out, ms);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(timestamp(1_435_781_430_781), "1435781430.781");
        assert_eq!(timestamp(1_435_781_430_000), "1435781430");
        assert_eq!(
            (timestamp(1), timestamp(-1500)),
            ("0.001".into(), "-1.500".into())
        );
        let mut out = Vec::new();
        push_float(&mut out, f64::INFINITY);
        assert_eq!(out, b"\"+Inf\"");
    }

    #[test]
    fn says_at_most_ten_things() {
        let notes = Annotations {
            warnings: (0..12).map(|i| format!("w{i}")).collect(),
            infos: vec!["i".to_owned()],
        };
        let text = String::from_utf8(tail(&notes)).unwrap();
        assert!(
            text.ends_with(r#""w9","2 more warning annotations omitted"],"infos":["i"]}"#),
            "{text}"
        );
        assert_eq!(tail(&Annotations::default()), b"}");
    }
}
