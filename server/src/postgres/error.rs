//! Errors as PostgreSQL's clients read them: a severity, a code of five characters, a message and a hint.

use barograph_query::sql::{SqlError, SqlErrorCode};
use pgwire::error::{ErrorInfo, PgWireError};

/// An error of a statement.
pub(super) fn statement_error(code: &str, message: &str) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new(
        "ERROR".to_owned(),
        code.to_owned(),
        message.to_owned(),
    )))
}

/// An error that ends the connection.
pub(super) fn fatal(code: &str, message: &str) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new(
        "FATAL".to_owned(),
        code.to_owned(),
        message.to_owned(),
    )))
}

/// What the engine says.
pub(super) fn engine_error(error: SqlError) -> PgWireError {
    let code = match error.code {
        SqlErrorCode::ParseError => "42601",
        SqlErrorCode::UnknownTable => "42P01",
        SqlErrorCode::UnknownColumn => "42703",
        SqlErrorCode::ReadOnly => "25006",
        SqlErrorCode::Timeout => "57014",
        SqlErrorCode::MemoryLimit => "53200",
        SqlErrorCode::Overloaded => "53300",
        SqlErrorCode::Execution => "22000",
        // What is not offered, and what may come to the codes.
        _ => "0A000",
    };
    let message = match error.code {
        SqlErrorCode::Timeout => format!("canceling statement due to statement timeout: {}", error.message),
        _ => error.message,
    };
    let mut info = ErrorInfo::new("ERROR".to_owned(), code.to_owned(), message);
    info.hint = error.hint;
    PgWireError::UserError(Box::new(info))
}

/// The client has asked for it.
pub(super) fn cancelled() -> PgWireError {
    statement_error("57014", "canceling statement due to user request")
}
