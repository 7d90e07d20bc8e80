//! Answers as bytes: JSON, CSV and Arrow for programs, a table for people.
//!
//! An answer is encoded batch by batch on the query's own threads, so that its size does not matter to memory
//! and the caller's threads only carry bytes.

mod arrow_ipc;
mod cell;
mod csv;
mod json;
mod pieces;
mod plain_texts;
mod table;
mod timestamp;

pub use json::json_column;
pub(crate) use pieces::Encoder;
pub use pieces::{Format, SqlBytes};
pub use plain_texts::PlainTexts;
#[cfg(test)]
pub(crate) use table::render_line;
pub use table::render_table;
pub(crate) use timestamp::rfc3339;

#[cfg(test)]
mod tests;
