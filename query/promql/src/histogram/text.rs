//! A histogram as text and as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::{
    FloatHistogram,
    bucket::Bucket,
    number::{api_float, go_float},
};

/// `[0.5,1):3`: a bracket stands at a bound that is in the bucket, a parenthesis at one that is not.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{},{}{}:{}",
            if self.lower_inclusive { '[' } else { '(' },
            go_float(self.lower),
            go_float(self.upper),
            if self.upper_inclusive { ']' } else { ')' },
            go_float(self.count)
        )
    }
}

/// Prometheus' form: `{count:4, sum:5, (0.5,1]:1, (1,2]:3}`, without empty buckets.
impl fmt::Display for FloatHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = &self.0;
        write!(f, "{{count:{}, sum:{}", go_float(body.count), go_float(body.sum))?;
        for (index, count) in body.negative.iter().rev().filter(|(_, count)| *count != 0.0) {
            write!(f, ", {}", body.negative_bucket(index, count))?;
        }
        if body.zero_count != 0.0 {
            write!(f, ", {}", body.zero_bucket())?;
        }
        for (index, count) in body.positive.iter().filter(|(_, count)| *count != 0.0) {
            write!(f, ", {}", body.positive_bucket(index, count))?;
        }
        f.write_str("}")
    }
}

impl FloatHistogram {
    /// The form of the HTTP API: `{"count":"4","sum":"5","buckets":[[0,"0.5","1","1"],…]}`, without `buckets` where
    /// all are empty. The first number of a bucket says which bounds are in it: 0 the upper one, 1 the lower one,
    /// 2 none, 3 both.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = json!({"count": api_float(self.count()), "sum": api_float(self.sum())});
        let filled = self.buckets().filter(|bucket| bucket.count != 0.0);
        let buckets: Vec<Value> = filled.map(|bucket| bucket_to_json(&bucket)).collect();
        if !buckets.is_empty() {
            object["buckets"] = Value::Array(buckets);
        }
        object
    }
}

fn bucket_to_json(bucket: &Bucket) -> Value {
    let boundary_rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
        (false, true) => 0,
        (true, false) => 1,
        (false, false) => 2,
        (true, true) => 3,
    };
    json!([
        boundary_rule,
        api_float(bucket.lower),
        api_float(bucket.upper),
        api_float(bucket.count),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(notation: &str) -> FloatHistogram {
        notation.parse().unwrap()
    }

    #[test]
    fn text_is_that_of_prometheus() {
        let cases = [
            ("{{}}", "{count:0, sum:0}"),
            (
                "{{schema:0 sum:5 count:4 buckets:[1 0 2 1]}}",
                "{count:4, sum:5, (0.5,1]:1, (2,4]:2, (4,8]:1}",
            ),
            (
                "{{schema:0 count:12 sum:-2.5 z_bucket:2 z_bucket_w:0.001 buckets:[1 2] n_buckets:[3 4]}}",
                "{count:12, sum:-2.5, [-2,-1):4, [-1,-0.5):3, [-0.001,0.001]:2, (0.5,1]:1, (1,2]:2}",
            ),
            (
                "{{schema:-53 sum:1e+06 count:6 custom_values:[-1 2.5] buckets:[1 2 3]}}",
                "{count:6, sum:1e+06, [-Inf,-1]:1, (-1,2.5]:2, (2.5,+Inf]:3}",
            ),
            (
                "{{schema:1 sum:NaN count:1 buckets:[0.25] offset:1}}",
                "{count:1, sum:NaN, (1,1.414213562373095]:0.25}",
            ),
        ];
        for (notation, text) in cases {
            assert_eq!(histogram(notation).to_string(), text);
        }
    }

    #[test]
    fn json_is_that_of_prometheus() {
        let cases = [
            ("{{}}", json!({"count": "0", "sum": "0"})),
            (
                "{{schema:0 count:13 sum:1e+06 z_bucket:2 z_bucket_w:0.75 buckets:[1 2] n_buckets:[3 0 4]}}",
                // Buckets that reach into the zero bucket begin where it ends.
                json!({"count": "13", "sum": "1000000", "buckets": [
                    [1, "-4", "-2", "4"],
                    [1, "-1", "-0.75", "3"],
                    [3, "-0.75", "0.75", "2"],
                    [0, "0.75", "1", "1"],
                    [0, "1", "2", "2"],
                ]}),
            ),
            (
                "{{schema:-53 sum:-Inf count:6 custom_values:[5 10] buckets:[1 2 3]}}",
                json!({"count": "6", "sum": "-Inf", "buckets": [
                    [3, "-Inf", "5", "1"],
                    [0, "5", "10", "2"],
                    [0, "10", "+Inf", "3"],
                ]}),
            ),
        ];
        for (notation, json) in cases {
            assert_eq!(histogram(notation).to_json(), json, "{notation}");
        }
    }
}
