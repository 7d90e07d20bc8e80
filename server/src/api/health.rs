//! `/-/healthy` and `/-/ready`, and what is answered while the store is still being opened.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower::ServiceExt;

/// The rest of the program, once there is one.
#[derive(Clone, Default)]
pub struct Readiness {
    routes: Arc<OnceLock<Router>>,
}

impl Readiness {
    /// From now on requests go to these routes. The first call counts.
    pub fn open(&self, routes: Router) {
        self.routes.get_or_init(|| routes);
    }
}

/// Health and readiness; every other request goes to the routes of [`Readiness::open`], and before them is asked to
/// come back.
pub fn health_routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/-/healthy", get(|| async { "Barograph is healthy.\n" }))
        .route("/-/ready", get(ready))
        .fallback(delegate)
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness.routes.get() {
        Some(_) => "Barograph is ready.\n".into_response(),
        None => starting(),
    }
}

async fn delegate(State(readiness): State<Readiness>, request: Request) -> Response {
    match readiness.routes.get() {
        Some(routes) => routes.clone().oneshot(request).await.into_response(),
        None => starting(),
    }
}

fn starting() -> Response {
    let text = "Barograph is starting: the write-ahead log is being replayed.\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")], text).into_response()
}
