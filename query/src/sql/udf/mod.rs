//! Functions that SQL has here beyond DataFusion's own.

mod time_bucket;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

/// All of them.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::from(time_bucket::TimeBucket::new()))]
}
