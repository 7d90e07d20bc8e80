//! Errors in the envelope of Prometheus' API: `{"status":"error","errorType":"bad_data","error":"..."}`.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use barograph_engine::EngineError;
use barograph_query::promql::PromqlError;
use serde_json::json;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// The type, such as `bad_data`; the status follows from it.
    pub(super) kind: &'static str,
    pub(super) message: String,
    retry_after_s: Option<u64>,
}

impl ApiError {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after_s: None,
        }
    }

    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self::new("bad_data", message)
    }

    /// A parameter that cannot be read.
    pub(super) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter \"{name}\": {reason}"))
    }

    /// The status that Prometheus gives errors of this type.
    pub(super) fn status(&self) -> StatusCode {
        match self.kind {
            "bad_data" => StatusCode::BAD_REQUEST,
            "execution" => StatusCode::UNPROCESSABLE_ENTITY,
            // What nginx made of 4xx for a client that has gone; it is not there to see it.
            "canceled" => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            "timeout" | "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "not_found" => StatusCode::NOT_FOUND,
            "not_acceptable" => StatusCode::NOT_ACCEPTABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The same as a line of text, for the endpoints that do not answer with JSON.
    pub(super) fn into_text(self) -> Response {
        let status = self.status();
        self.with_retry((status, self.message.clone() + "\n").into_response())
    }

    fn with_retry(&self, mut response: Response) -> Response {
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<PromqlError> for ApiError {
    fn from(error: PromqlError) -> Self {
        Self {
            kind: error.kind(),
            message: error.to_string(),
            retry_after_s: error.retry_after().map(|after| after.as_secs()),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        PromqlError::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "status": "error", "errorType": self.kind, "error": self.message });
        self.with_retry((self.status(), axum::Json(body)).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_status() {
        let status = |kind| ApiError::new(kind, "").status().as_u16();
        let kinds = [
            ("bad_data", 400),
            ("execution", 422),
            ("canceled", 499),
            ("timeout", 503),
            ("internal", 500),
            ("not_found", 404),
            ("not_acceptable", 406),
        ];
        for (kind, expected) in kinds {
            assert_eq!(status(kind), expected, "{kind}");
        }
    }
}
