//! Label sets as a column: a map of texts, so that SQL reads one by `labels['job']`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, MapBuilder, StringBuilder};
use arrow::datatypes::DataType;

/// One map per item, of the pairs that it gives, in that order. An absent label is no entry, and so NULL.
#[must_use]
pub fn labels_array<'a, P>(sets: impl IntoIterator<Item = P>) -> ArrayRef
where
    P: IntoIterator<Item = (&'a str, &'a str)>,
{
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for pairs in sets {
        for (name, value) in pairs {
            builder.keys().append_value(name);
            builder.values().append_value(value);
        }
        // Both columns have just grown alike, which is all that could go wrong here.
        let _ = builder.append(true);
    }
    Arc::new(builder.finish())
}

/// The type of [`labels_array`].
#[must_use]
pub fn labels_type() -> DataType {
    labels_array(std::iter::empty::<std::iter::Empty<(&str, &str)>>())
        .data_type()
        .clone()
}
