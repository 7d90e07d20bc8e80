//! The edges by which samples come in.
