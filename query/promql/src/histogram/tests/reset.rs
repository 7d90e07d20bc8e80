use super::h;
use crate::histogram::resets;

#[test]
fn resets_are_detected() {
    let cases = [
        // (before, after, whether the counter began anew)
        (
            "count:3 sum:1 buckets:[1 2]",
            "count:3 sum:1 buckets:[1 2]",
            false,
        ),
        (
            "count:3 sum:1 buckets:[1 2]",
            "count:9 sum:-5 buckets:[1 2 6]",
            false,
        ),
        ("count:3 sum:1 buckets:[1 2]", "count:2 sum:1 buckets:[1 1]", true),
        (
            "count:3 sum:1 buckets:[1 2]",
            "count:4 sum:9 buckets:[2 1 1]",
            true,
        ),
        // A bucket has gone; an empty one may go.
        ("count:3 buckets:[1 2]", "count:4 buckets:[4]", true),
        ("count:1 buckets:[1 0]", "count:4 buckets:[4]", false),
        ("count:1 buckets:[1]", "count:4 buckets:[4] offset:1", true),
        ("count:1 buckets:[1]", "count:4", true),
        ("count:1 n_buckets:[1]", "count:4 n_buckets:[0 4]", true),
        ("count:0", "count:4 n_buckets:[0 4]", false),
        // Resolution can only become coarser.
        (
            "schema:0 count:1 buckets:[1]",
            "schema:1 count:1 buckets:[1]",
            true,
        ),
        (
            "schema:1 count:6 buckets:[1 2 3]",
            "schema:0 count:7 buckets:[2 5]",
            false,
        ),
        (
            "schema:1 count:6 buckets:[1 2 3]",
            "schema:0 count:7 buckets:[3 4]",
            true,
        ),
        // The zero bucket only wider, over whole buckets.
        (
            "count:3 z_bucket:1 z_bucket_w:0.5 buckets:[2]",
            "count:3 z_bucket:3 z_bucket_w:1",
            false,
        ),
        (
            "count:3 z_bucket:1 z_bucket_w:0.5 buckets:[2]",
            "count:3 z_bucket:2 z_bucket_w:1 buckets:[1] offset:1",
            true,
        ),
        (
            "count:3 z_bucket:1 z_bucket_w:0.5 buckets:[2]",
            "count:4 z_bucket:4 z_bucket_w:0.75",
            true,
        ),
        (
            "count:3 z_bucket:1 z_bucket_w:0.5",
            "count:4 z_bucket:4 z_bucket_w:0.25",
            true,
        ),
        ("count:3 z_bucket:3", "count:4 z_bucket:2 buckets:[2]", true),
        // Custom bounds.
        (
            "schema:-53 count:3 custom_values:[1] buckets:[1 2]",
            "schema:-53 count:3 custom_values:[1] buckets:[1 2]",
            false,
        ),
        (
            "schema:-53 count:3 custom_values:[1] buckets:[1 2]",
            "schema:-53 count:4 custom_values:[1] buckets:[3 1]",
            true,
        ),
        (
            "schema:-53 count:7 custom_values:[1 2] buckets:[1 2 4]",
            "schema:-53 count:7 custom_values:[2 3] buckets:[3 1 3]",
            false,
        ),
        (
            "schema:-53 count:7 custom_values:[1 2] buckets:[1 2 4]",
            "schema:-53 count:8 custom_values:[2 3] buckets:[2 3 3]",
            true,
        ),
        (
            "schema:-53 count:3 custom_values:[1] buckets:[1 2]",
            "schema:0 count:3 buckets:[3]",
            true,
        ),
        (
            "schema:0 count:3 buckets:[3]",
            "schema:-53 count:3 custom_values:[1] buckets:[1 2]",
            true,
        ),
        // The hint of the later sample decides.
        (
            "count:3 buckets:[3]",
            "count:1 buckets:[1] counter_reset_hint:not_reset",
            false,
        ),
        (
            "count:3 buckets:[3]",
            "count:4 buckets:[4] counter_reset_hint:reset",
            true,
        ),
        (
            "count:3 buckets:[3] counter_reset_hint:reset",
            "count:4 buckets:[4]",
            false,
        ),
        (
            "count:3 buckets:[3]",
            "count:1 buckets:[1] counter_reset_hint:gauge",
            true,
        ),
    ];
    for (before, after, is_reset) in cases {
        assert_eq!(h(after).detect_reset(&h(before)), is_reset, "{before} -> {after}");
        assert_eq!(resets(&[h(before), h(after)]), usize::from(is_reset));
    }
}
