//! Fuzz targets: each feeds bytes to one decoder of outside bytes, in the way the program would.
//!
//! A target fails by a panic, by taking memory out of proportion, or by taking for ever; an error is an answer. Two
//! things drive the same targets: libFuzzer, which is led by coverage (`cargo xtask fuzz`), and a loop of our own that
//! changes the committed seeds in ways that follow from a number, so that it runs alike everywhere and in every test
//! run.
//!
//! Formats with a checksum are fuzzed behind it too ([`seal`]): otherwise nothing but the checksum would be tested.

mod edge;
mod flight;
mod import;
mod journal;
mod lists;
mod postgres;
mod prometheus;

pub mod mutate;
mod seal;
pub mod seeds;
mod target;

pub use target::{TARGETS, Target, find, message};

#[cfg(test)]
mod tests;
