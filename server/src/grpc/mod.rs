//! The gRPC edge: the subscription to alerts, whose documentation is `proto/barograph/v1/alerts.proto`, and the listener that
//! it shares with Flight SQL ([`crate::flight`]).

mod cursor;
mod message;
mod serve;
mod subscribe;

pub use cursor::{Cursor, CursorError, Start};
pub use serve::{ServeError, serve};
pub use subscribe::AlertsService;
