use super::{assert_same, compact, h};
use crate::histogram::{
    Difference, FloatHistogram, changes, delta, increase, instant_delta, instant_increase, resets,
};

fn samples(notations: &[&str]) -> Vec<FloatHistogram> {
    notations.iter().map(|notation| h(notation)).collect()
}

#[track_caller]
fn assert_difference(found: &Difference, wanted: &str) {
    let wanted = compact(&format!("{wanted} counter_reset_hint:gauge"));
    assert_same(found.histogram.as_ref().unwrap(), &wanted);
}

#[test]
fn a_counter_goes_up() {
    let found = increase(&samples(&[
        "count:3 sum:1 buckets:[1 2]",
        "count:4 sum:3 buckets:[1 3]",
        "count:9 sum:8 buckets:[1 6 0 2]",
    ]));
    assert_difference(&found, "count:6 sum:7 buckets:[0 4 0 2]");
    assert!(!found.mixed_schemas && !found.not_a_counter && !found.bounds_in_subtraction);
}

#[test]
fn what_was_counted_before_a_reset_is_added() {
    let found = increase(&samples(&[
        "count:3 sum:1 buckets:[1 2]",
        "count:5 sum:3 buckets:[1 4]",
        "count:2 sum:2 buckets:[2]",
        "count:3 sum:4 buckets:[3]",
        "count:1 sum:4 buckets:[0 1] counter_reset_hint:reset",
    ]));
    // 2 up to the first reset, 3 up to the second, 1 since.
    assert_difference(&found, "count:6 sum:10 buckets:[3 3]");
}

#[test]
fn a_reset_behind_the_first_sample_leaves_its_layout_out() {
    let found = increase(&samples(&[
        "schema:-53 count:3 sum:1 custom_values:[1] buckets:[1 2]",
        "schema:3 count:1 sum:3 buckets:[1]",
        "schema:3 count:4 sum:8 buckets:[4]",
    ]));
    assert_difference(&found, "schema:3 count:4 sum:8 buckets:[4]");
    assert!(!found.mixed_schemas);
}

#[test]
fn the_coarsest_schema_of_a_window_wins() {
    let found = increase(&samples(&[
        "schema:2 count:3 sum:1 buckets:[3] offset:1",
        "schema:0 count:4 sum:2 buckets:[4] offset:1",
        "schema:2 count:9 sum:3 buckets:[5 4] offset:4 counter_reset_hint:not_reset",
    ]));
    assert_difference(&found, "schema:0 count:6 sum:2 buckets:[2 4] offset:1");
}

#[test]
fn zero_buckets_are_reconciled_over_a_window() {
    let found = increase(&samples(&[
        "count:3 sum:1 z_bucket:1 z_bucket_w:0.5 buckets:[2]",
        "count:7 sum:2 z_bucket:5 z_bucket_w:1 buckets:[0 2]",
    ]));
    assert_difference(&found, "count:4 sum:1 z_bucket:2 z_bucket_w:1 buckets:[0 2]");
}

#[test]
fn custom_bounds_are_reconciled_over_a_window() {
    let found = increase(&samples(&[
        "schema:-53 count:3 sum:1 custom_values:[1 2] buckets:[1 1 1]",
        "schema:-53 count:9 sum:3 custom_values:[2 4] buckets:[4 4 1]",
        "schema:-53 count:2 sum:1 custom_values:[2] buckets:[1 1]",
    ]));
    assert!(found.bounds_in_subtraction && found.bounds_in_addition);
    assert_difference(&found, "schema:-53 count:8 sum:3 custom_values:[2] buckets:[3 5]");
}

#[test]
fn mixed_schemas_have_no_difference() {
    let exponential = "count:3 sum:1 buckets:[3]";
    let custom = "schema:-53 count:3 sum:1 custom_values:[1] buckets:[3]";
    let kept = "schema:-53 count:3 custom_values:[1] buckets:[3] counter_reset_hint:not_reset";
    for notations in [
        [exponential, exponential, custom],
        [exponential, kept, exponential],
    ] {
        let found = increase(&samples(&notations));
        assert!(found.mixed_schemas && found.histogram.is_none(), "{notations:?}");
    }
    let found = delta(&samples(&[exponential, exponential, custom]));
    assert!(found.mixed_schemas && found.not_a_gauge && found.histogram.is_none());
    // The middle of a gauge's window does not matter.
    assert!(!delta(&samples(&[exponential, custom, exponential])).mixed_schemas);
}

#[test]
fn one_sample_has_no_difference() {
    for notations in [&[][..], &["count:3 buckets:[3]"][..]] {
        let (up, change) = (increase(&samples(notations)), delta(&samples(notations)));
        assert!(up.histogram.is_none() && !up.mixed_schemas);
        assert!(change.histogram.is_none() && !change.not_a_gauge);
    }
}

#[test]
fn a_gauge_goes_up_and_down() {
    let found = delta(&samples(&[
        "count:3 sum:1 buckets:[1 2] counter_reset_hint:gauge",
        "count:9 sum:9 buckets:[9] counter_reset_hint:gauge",
        "count:2 sum:5 buckets:[2] counter_reset_hint:gauge",
    ]));
    assert!(!found.not_a_gauge);
    assert_difference(&found, "count:-1 sum:4 buckets:[1 -2]");
}

#[test]
fn functions_of_the_wrong_kind_are_reported() {
    let counter = "count:3 sum:1 buckets:[3]";
    let gauge = "count:4 sum:1 buckets:[4] counter_reset_hint:gauge";
    assert!(delta(&samples(&[counter, gauge])).not_a_gauge);
    assert!(delta(&samples(&[gauge, counter])).not_a_gauge);
    for notations in [
        [gauge, counter, counter],
        [counter, gauge, gauge],
        [counter, gauge, counter],
    ] {
        assert!(increase(&samples(&notations)).not_a_counter, "{notations:?}");
    }
    assert!(!increase(&samples(&[counter, counter])).not_a_counter);
}

#[test]
fn neighbours() {
    let (before, after) = (h("count:3 sum:1 buckets:[3]"), h("count:5 sum:4 buckets:[4 1]"));
    let found = instant_increase(&before, &after);
    assert_difference(&found, "count:2 sum:3 buckets:[1 1]");
    assert!(!found.not_a_counter);
    // Behind a reset all that is there was counted since.
    assert_difference(&instant_increase(&after, &before), "count:3 sum:1 buckets:[3]");
    let found = instant_delta(&after, &before);
    assert_difference(&found, "count:-2 sum:-3 buckets:[-1 -1]");
    assert!(found.not_a_gauge);
    let custom = h("schema:-53 count:9 custom_values:[1] buckets:[9] counter_reset_hint:not_reset");
    let found = instant_increase(&before, &custom);
    assert!(found.mixed_schemas && found.histogram.is_none());
}

#[test]
fn changes_and_resets_are_counted() {
    let samples = samples(&[
        "count:3 sum:1 buckets:[3]",
        "count:3 sum:1 buckets:[3] counter_reset_hint:not_reset",
        "count:3 sum:2 buckets:[3]",
        "count:2 sum:2 buckets:[2]",
        "count:2 sum:NaN buckets:[2]",
        "count:2 sum:NaN buckets:[2]",
    ]);
    assert_eq!(changes(&samples), 3);
    assert_eq!(resets(&samples), 1);
    assert_eq!(changes::<FloatHistogram>(&[]), 0);
    let references: Vec<&FloatHistogram> = samples.iter().collect();
    assert_eq!(changes(&references), 3);
}
