//! Errors as gRPC's clients read them.

use arrow::error::ArrowError;
use barograph_query::sql::{SqlError, SqlErrorCode};
use tonic::{Code, Status};

/// What the engine says.
pub(super) fn engine_status(error: &SqlError) -> Status {
    let code = match error.code {
        SqlErrorCode::UnknownTable | SqlErrorCode::UnknownColumn => Code::NotFound,
        SqlErrorCode::ReadOnly => Code::PermissionDenied,
        SqlErrorCode::Timeout => Code::DeadlineExceeded,
        SqlErrorCode::MemoryLimit => Code::ResourceExhausted,
        SqlErrorCode::Overloaded => Code::Unavailable,
        SqlErrorCode::Execution => Code::Internal,
        // What is wrong in the text, and what may come to the codes.
        _ => Code::InvalidArgument,
    };
    Status::new(code, error.to_string())
}

/// What could not be encoded.
pub(super) fn arrow_status(error: &ArrowError) -> Status {
    Status::internal(error.to_string())
}
