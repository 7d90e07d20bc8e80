//! The head: which series are written to now, found by what a sender wrote, by their labels, or by a query.
//!
//! [`Head`] gives each label set a dense [`SeriesRef`](crate::SeriesRef), valid for that head alone, and a
//! [`SeriesId`](barograph_model::SeriesId), the same for ever. [`LabelPairs`] keeps each `name = value` once, with the
//! series that have it. [`StorageKey`] is the order of series everywhere: (metric, job, instance, id).
//!
//! A head knows the series of the memtable that was filled with it and no others; those of segments are found
//! through the segments' own indexes. So a series that is no longer written to costs no memory once its samples
//! are in a segment and the head has been renewed.

mod head;
mod label_pairs;
mod spellings;
mod storage_key;
mod storage_order;

pub use head::Head;
pub(crate) use label_pairs::LabelPairs;
pub(crate) use storage_key::StorageKey;
pub(crate) use storage_order::StorageOrder;
