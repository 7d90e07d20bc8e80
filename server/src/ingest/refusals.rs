//! What a sender is told where nothing of its request is stored.

use axum::http::StatusCode;
use barograph_engine::EngineError;

use super::batch::DecodeError;
use super::protocol::Protocol;
use super::snappy::SnappyError;
use crate::http::Refusal;

/// The answer where too much is being worked on already.
pub(super) fn overload() -> Refusal {
    Refusal::retry_later(
        "too many requests are in flight; nothing of this one was stored, send it again later",
        1,
    )
}

/// The answer where the server lost the request.
pub(super) fn given_up() -> Refusal {
    let message = "the request was given up inside the server, it may be stored or not; send it again";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}

pub(super) fn snappy(error: SnappyError) -> Refusal {
    let status = match error {
        SnappyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Refusal::new(status, format_args!("nothing was stored: {error}"))
}

pub(super) fn decode(protocol: Protocol, error: impl Into<DecodeError>) -> Refusal {
    match error.into() {
        error @ (DecodeError::Wire(_) | DecodeError::FirstSymbol) => {
            let message = protocol.message();
            let message = format_args!("nothing was stored: the body is not a {message}: {error}");
            Refusal::new(StatusCode::BAD_REQUEST, message)
        }
        error @ DecodeError::TooMany { .. } => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format_args!("nothing was stored: {error}"),
        ),
    }
}

/// Says whether and when the store may take the same request.
pub(super) fn engine(error: &EngineError) -> Refusal {
    match error {
        EngineError::Overloaded { .. } => Refusal::retry_later(error, 1),
        EngineError::Unwritable { .. } => Refusal::retry_later(error, 10),
        EngineError::Closing => Refusal::retry_later(error, 5),
        EngineError::Poisoned { .. } => Refusal::retry_later(error, 60),
        _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}
