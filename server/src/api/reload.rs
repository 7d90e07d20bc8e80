//! `POST /-/reload`: read the rule files again.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use crate::compose::Reload;

/// The route of reloads.
pub fn reload_routes(reload: Arc<Reload>) -> Router {
    Router::new().route("/-/reload", post(run)).with_state(reload)
}

async fn run(State(reload): State<Arc<Reload>>) -> Response {
    let loaded = tokio::task::spawn_blocking(move || reload.run().map_err(|error| error.to_string())).await;
    match loaded.unwrap_or_else(|_| Err("the reload did not finish".to_owned())) {
        Ok(rules) => format!("{rules} rules loaded.\n").into_response(),
        Err(error) => (
            StatusCode::BAD_REQUEST,
            format!("the rules that were loaded stay: {error}\n"),
        )
            .into_response(),
    }
}
