//! Functions that SQL has here beyond DataFusion's own.

mod time_bucket;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

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

/// All of them.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::from(time_bucket::TimeBucket::new()))]
}
