//! `POST /api/v1/sql`: `{"query": "...", "format": "json|csv|arrow"}`.
//!
//! An answer begins with the first rows, so a query that fails before them is answered with a status; one that
//! fails later ends the connection in the middle of the body, which no client takes for a whole answer. A client
//! that goes away drops the body and with it the query.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use barograph_query::sql::Format;
use barograph_query::sql::{SqlEngine, SqlError, SqlErrorCode};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;

/// Bytes of a request. The engine's own limit on a query's text is below it and names itself.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// Seconds after which one who met an overload may come back.
const RETRY_AFTER_S: &str = "2";

/// The routes of SQL.
pub fn sql_routes(engine: Arc<SqlEngine>) -> Router {
    let limit = DefaultBodyLimit::max(REQUEST_BYTES_MAX);
    Router::new()
        .route("/api/v1/sql", post(answer))
        .layer(limit)
        .with_state(engine)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    query: String,
    #[serde(default)]
    format: Option<String>,
}

async fn answer(State(engine): State<Arc<SqlEngine>>, body: Bytes) -> Response {
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            let message =
                format!("the request is not {{\"query\": \"SELECT ...\", \"format\": \"json\"}}: {error}");
            let hint = "send a JSON object with Content-Type application/json";
            return refusal(StatusCode::BAD_REQUEST, "bad_request", &message, Some(hint));
        }
    };
    match run(&engine, &request).await {
        Ok(response) => response,
        Err(error) => refuse(&error),
    }
}

async fn run(engine: &SqlEngine, request: &Request) -> Result<Response, SqlError> {
    let format: Format = request.format.as_deref().unwrap_or("json").parse()?;
    let mut pieces = engine.query(&request.query).await?.encode(format);
    let first = match pieces.next().await {
        Some(first) => first?,
        None => Bytes::new(),
    };
    let body = Body::from_stream(futures::stream::once(async { Ok(first) }).chain(pieces));
    let mut response = body.into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    Ok(response)
}

fn refuse(error: &SqlError) -> Response {
    let status = match error.code {
        SqlErrorCode::Timeout | SqlErrorCode::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        _ if error.code.is_callers_fault() => StatusCode::BAD_REQUEST,
        SqlErrorCode::MemoryLimit => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = refusal(status, error.code.as_str(), &error.message, error.hint.as_deref());
    if error.code == SqlErrorCode::Overloaded {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    }
    response
}

fn refusal(status: StatusCode, code: &str, message: &str, hint: Option<&str>) -> Response {
    let body = json!({ "error": { "code": code, "message": message, "hint": hint } });
    (status, axum::Json(body)).into_response()
}
