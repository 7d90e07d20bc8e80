//! The dot product in eight lanes, so that it is vectorised and always summed in the same order.

/// The sum of products of two slices of one length.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a_whole, b_whole) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_whole
        .remainder()
        .iter()
        .zip(b_whole.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_whole.zip(b_whole) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}
