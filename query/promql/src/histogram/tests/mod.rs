//! Tables whose values were worked out by hand, or shown by Prometheus where the test says so; and properties.

mod addition;
mod conversion;
mod functions;
mod prometheus;
mod properties;
mod reset;
mod trim;
mod window;

use super::FloatHistogram;

/// The histogram of a notation without its braces.
fn h(notation: &str) -> FloatHistogram {
    format!("{{{{{notation}}}}}").parse().unwrap()
}

/// The histogram of a notation without its braces, whose empty buckets only space the others out.
fn compact(notation: &str) -> FloatHistogram {
    let mut histogram = h(notation);
    histogram.compact();
    histogram
}

/// Fails unless both are the same sample with the same hint.
#[track_caller]
fn assert_same(found: &FloatHistogram, wanted: &FloatHistogram) {
    assert!(
        found.equals(wanted) && found.reset_hint() == wanted.reset_hint(),
        "found  {found} {:?}\nwanted {wanted} {:?}",
        found.0,
        wanted.0
    );
}

/// Fails unless two floats are equal, NaN to NaN too, but for a relative error of 1e-12.
#[track_caller]
fn assert_close(found: f64, wanted: f64) {
    let is_close = found == wanted
        || (found.is_nan() && wanted.is_nan())
        || (found - wanted).abs() <= 1e-12 * wanted.abs().max(f64::MIN_POSITIVE);
    assert!(is_close, "found {found}, wanted {wanted}");
}
