//! The answer to a request that was not carried out, or not wholly.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The longest message: Prometheus logs the first line of an answer, and of that the first 1024 bytes.
const MESSAGE_BYTES_MAX: usize = 1000;

/// A status, one line for a person, and where it helps, when to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 4xx where sending the same again is useless, 5xx where it is not.
    pub status: StatusCode,
    /// One line: what was wrong, where, and what to do.
    pub message: String,
    /// Seconds after which the request may be sent again.
    pub retry_after_s: Option<u32>,
    /// A word for the cause, by which refusals are counted; follows from the status where nobody knows better.
    pub reason: &'static str,
}

impl Refusal {
    /// A refusal that sending the same request again does not mend.
    #[must_use]
    pub fn new(status: StatusCode, message: impl fmt::Display) -> Self {
        Self {
            status,
            message: one_line(message.to_string()),
            retry_after_s: None,
            reason: reason_of(status),
        }
    }

    /// The same refusal with a cause that says more than its status.
    #[must_use]
    pub fn because(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }

    /// A 503: the same request may succeed after some seconds.
    #[must_use]
    pub fn retry_later(message: impl fmt::Display, retry_after_s: u32) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.message + "\n").into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn reason_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::REQUEST_TIMEOUT => "timeout",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
        StatusCode::TOO_MANY_REQUESTS => "rate",
        StatusCode::SERVICE_UNAVAILABLE => "overload",
        status if status.is_client_error() => "malformed",
        _ => "internal",
    }
}

/// The text without line breaks, cut at a character within the longest length.
fn one_line(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX - 3));
        text.push_str("...");
    }
    if text.contains(char::is_control) {
        text = text.replace(char::is_control, " ");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_bounded_line_of_text() {
        let refusal = Refusal::retry_later(format!("a\nb{}", "é".repeat(800)), 7);
        assert!(refusal.message.starts_with("a b") && refusal.message.len() <= MESSAGE_BYTES_MAX);
        let response = refusal.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/plain; charset=utf-8"
        );
    }
}
