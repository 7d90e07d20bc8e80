//! Which series exist and which of them a query means.
//!
//! [`Registry`] gives each label set a dense [`SeriesRef`](crate::SeriesRef) and a stable
//! [`SeriesId`](barograph_model::SeriesId); [`Postings`] maps label values to the series that have them;
//! [`StorageOrder`] is the order of series in segments: (metric, job, instance, id).

mod order;
mod postings;
mod registry;
mod storage_key;

pub(crate) use order::StorageOrder;
pub(crate) use postings::Postings;
pub(crate) use registry::Registry;
pub(crate) use storage_key::StorageKey;
