//! What every HTTP endpoint that takes a body shares.
//!
//! Invariants:
//! - a body is never collected beyond its cap, whether its length is declared or not;
//! - a refusal says in one line what was wrong and what to do, and reaches a client that is still sending.

mod body;
mod media_type;
mod refusal;

pub use body::{BodyError, discard, read_capped};
pub use media_type::MediaType;
pub use refusal::Refusal;
