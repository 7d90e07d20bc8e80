//! Functions that SQL has here beyond DataFusion's own.

mod arguments;
mod at_time;
mod fill;
mod histogram_quantile;
mod last_points;
mod promql;
mod rise;
mod time_bucket;
mod time_buckets;
mod window_samples;

use std::sync::Arc;

use barograph_promql::Rise;
use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::functions_aggregate::approx_percentile_cont::approx_percentile_cont_udaf;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub(crate) use last_points::LastPoints;
pub(crate) use promql::{PromqlForSql, PromqlFunction};

/// Functions of DataFusion whose result can be as large as a number in the query says: a few bytes of text
/// would take all memory, past every limit.
pub(crate) const UNBOUNDED: [&str; 10] = [
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "range",
    "generate_series",
    "gen_series",
];

/// Adds all functions but those that need a query's own snapshot.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    state.register_udf(Arc::new(ScalarUDF::from(time_bucket::TimeBucket::new())))?;
    for kind in [Rise::Rate, Rise::Increase, Rise::Delta] {
        state.register_udaf(Arc::new(AggregateUDF::from(rise::RiseFunction::new(kind))))?;
    }
    state.register_udaf(Arc::new(AggregateUDF::from(
        histogram_quantile::HistogramQuantile::new(),
    )))?;
    for at_time in [at_time::AtTime::first(), at_time::AtTime::last()] {
        state.register_udaf(Arc::new(AggregateUDF::from(at_time)))?;
    }
    // The name and the order of arguments that TimescaleDB's and Spark's users know.
    let percentile = approx_percentile_cont_udaf().as_ref().clone();
    state.register_udaf(Arc::new(percentile.with_aliases(["approx_percentile"])))?;
    state.register_udwf(Arc::new(WindowUDF::from(fill::Locf::new())))?;
    state.register_udwf(Arc::new(WindowUDF::from(fill::Interpolate::new())))?;
    state.register_udtf("time_buckets", Arc::new(time_buckets::TimeBuckets));
    for name in UNBOUNDED {
        // Those that this build of DataFusion lacks are as good as removed.
        let _ = state.deregister_udf(name);
    }
    Ok(())
}
