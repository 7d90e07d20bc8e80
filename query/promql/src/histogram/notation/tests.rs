use super::*;

fn read(text: &str) -> Result<FloatHistogram, NotationError> {
    text.parse()
}

#[test]
fn every_field_is_read() {
    let histogram = read(
        " {{schema:2 sum:-1.5e3  count:10 z_bucket:1 z_bucket_w:0.001 buckets:[1 0 2.5] offset:-3 \
         n_buckets:[4 5] n_offset:7 counter_reset_hint:not_reset}}\n",
    )
    .unwrap();
    assert_eq!(histogram.schema(), 2);
    assert_eq!(histogram.sum(), -1500.0);
    assert_eq!(histogram.count(), 10.0);
    assert_eq!(histogram.zero_count(), 1.0);
    assert_eq!(histogram.zero_threshold(), 0.001);
    assert_eq!(histogram.reset_hint(), ResetHint::No);
    let positive: Vec<_> = histogram.0.positive.iter().collect();
    assert_eq!(positive, [(-3, 1.0), (-2, 0.0), (-1, 2.5)]);
    let negative: Vec<_> = histogram.0.negative.iter().collect();
    assert_eq!(negative, [(7, 4.0), (8, 5.0)]);
}

#[test]
fn custom_bounds_are_read() {
    let histogram = read("{{schema:-53 custom_values:[-5 10 2e3] buckets:[1 4]}}").unwrap();
    assert!(histogram.is_custom());
    assert_eq!(histogram.custom_values(), [-5.0, 10.0, 2000.0]);
    assert_eq!(histogram.0.positive.len(), 2);
}

#[test]
fn what_no_program_observes_can_be_written() {
    let histogram = read("{{count:-4 sum:NaN z_bucket:-Inf buckets:[-1 +Inf]}}").unwrap();
    assert_eq!(histogram.count(), -4.0);
    assert!(histogram.sum().is_nan());
    assert_eq!(histogram.zero_count(), f64::NEG_INFINITY);
    assert_eq!(read("{{}}").unwrap().count(), 0.0);
}

#[test]
fn a_mistake_is_named() {
    let cases = [
        ("{schema:0}", "is not in double braces"),
        ("{{schema:0", "is not in double braces"),
        ("{{schema}}", "\"schema\" has no value"),
        ("{{buckets :[1]}}", "\"buckets\" has no value"),
        ("{{scheme:0}}", "\"scheme\" is not a field"),
        ("{{sum:1 sum:2}}", "sum is given twice"),
        ("{{sum:1,count:2}}", "sum is \"1,count:2\", which is not a number"),
        (
            "{{schema:9}}",
            "schema is \"9\", which is not from -4 to 8, or -53",
        ),
        ("{{schema:1.5}}", "schema is \"1.5\", which is not a whole number"),
        (
            "{{buckets:1}}",
            "buckets is \"1\", which is not a list of numbers",
        ),
        (
            "{{buckets:[1 x]}}",
            "buckets is \"[1 x]\", which is not a list of numbers",
        ),
        ("{{buckets:[1 2}}", "the list of buckets has no closing bracket"),
        ("{{z_bucket_w:-1}}", "z_bucket_w is \"-1\", which is not a width"),
        (
            "{{counter_reset_hint:maybe}}",
            "which is not unknown, reset, not_reset or gauge",
        ),
        (
            "{{custom_values:[1]}}",
            "a histogram of schema 0 has no custom bounds",
        ),
        (
            "{{schema:-53 custom_values:[1] z_bucket:1}}",
            "a histogram of schema -53 has no zero bucket",
        ),
        (
            "{{schema:-53 custom_values:[1] n_buckets:[1]}}",
            "a histogram of schema -53 has no negative buckets",
        ),
        (
            "{{schema:-53 custom_values:[2 1]}}",
            "not a list of ascending bounds",
        ),
        (
            "{{schema:-53 custom_values:[1 NaN]}}",
            "not a list of ascending bounds",
        ),
        (
            "{{schema:-53 custom_values:[1] buckets:[1 2 3]}}",
            "buckets reaches beyond the last bucket",
        ),
        (
            "{{schema:-53 custom_values:[1] buckets:[1] offset:-1}}",
            "buckets reaches beyond the last bucket",
        ),
        (
            "{{buckets:[1 2] offset:2147483647}}",
            "buckets reaches beyond the last bucket",
        ),
    ];
    for (text, message) in cases {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}
