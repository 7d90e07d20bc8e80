//! The gRPC edge: the subscription to alerts. `proto/barograph/v1/alerts.proto` is its documentation.

mod cursor;
mod message;
mod serve;
mod subscribe;

pub use cursor::{Cursor, CursorError, Start};
pub use serve::{ServeError, serve};
pub use subscribe::AlertsService;
