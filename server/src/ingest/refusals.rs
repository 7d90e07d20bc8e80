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

/// The reason of a refusal whose parts have been counted already, each by its own.
pub(super) const PARTLY: &str = "partly";

/// The answer where all is stored but what `message` counts. A part that was only too early makes it a 429, so that
/// senders which heed it send the request again; what is stored already is then stored once.
pub(super) fn part(message: String, retry_after_s: Option<u32>) -> Refusal {
    let status = match retry_after_s {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None => StatusCode::BAD_REQUEST,
    };
    Refusal {
        retry_after_s,
        ..Refusal::new(status, message).because(PARTLY)
    }
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
        EngineError::Unwritable { .. } => Refusal::retry_later(error, 10).because("disk"),
        EngineError::DiskLow { .. } => Refusal::retry_later(error, 30).because("disk_low"),
        EngineError::Closing => Refusal::retry_later(error, 5).because("closing"),
        EngineError::Poisoned { .. } => Refusal::retry_later(error, 60).because("poisoned"),
        _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}
