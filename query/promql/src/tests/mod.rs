//! What proves the evaluator: scripts, a second evaluator that is as plain as it can be, and laws that hold whatever
//! the data.
//!
//! ```text
//! store      a real engine on a simulated disk, its samples in memory, in segments, or half and half
//! script     Prometheus' language of test scripts
//! scripts    the scripts themselves, `*.test`, one a family of functions
//! coverage   no function, aggregation or operator without a script
//! random     random series and random expressions over them
//! reference  the second evaluator
//! rollups    buckets answer as rows do
//! limits     samples, memory and time that a query may take, and what it says of them
//! laws       what is compared: with the reference, sums over splits, a range query with its instants
//! ```

mod store;

mod script;

mod coverage;
mod scripts;

mod reference;

mod laws;
mod limits;
mod random;
mod rollups;
