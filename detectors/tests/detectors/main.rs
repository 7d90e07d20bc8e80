//! What every detector owes, measured from outside: causality, equivariance, restored state, bad input, and
//! floors for what it finds in labelled data.

#[path = "../../examples/evaluate/labelled.rs"]
mod labelled;

mod contract;
mod fleet;
mod floors;
mod signals;
mod steady;
