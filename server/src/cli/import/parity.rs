//! Whether the target holds what was read: the samples of each metric, counted where they are now.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};

use super::ImportFailure;
use super::tally::{Count, Tally};
use crate::cli::sql::{Source, SqlFailure};

/// A query counts at most this long a time, so that none takes long.
const STEP_MS: i64 = 86_400_000;

/// A metric whose count is another in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) metric: String,
    /// Distinct samples that were read.
    pub(super) read: u64,
    /// Samples in the target within the time of those.
    pub(super) found: u64,
}

impl Difference {
    /// What is told of it.
    pub(super) fn told(&self) -> String {
        let Self { metric, read, found } = self;
        match found < read {
            true => format!(
                "{metric}: {} of {read} samples are not in the target",
                read - found
            ),
            false => format!(
                "{metric}: the target holds {} samples more than the {read} that were read (it had some of this metric \
                 and time before, or gets them from elsewhere; --allow-more is for that)",
                found - read
            ),
        }
    }
}

/// Compares what was read with what the target holds.
///
/// # Errors
/// [`ImportFailure::Parity`] when the target cannot be asked.
pub(super) async fn differences(
    source: &Source,
    tally: &Tally,
    allows_more: bool,
) -> Result<Vec<Difference>, ImportFailure> {
    let Some((start, end)) = tally.range() else {
        return Ok(Vec::new());
    };
    let found = count(source, start, end, None).await?;
    let mut differences = Vec::new();
    for (metric, read) in &tally.metrics {
        let mut held = found.get(metric).copied().unwrap_or(0);
        if held > read.samples {
            // Some may be of this metric but outside its own time.
            let exactly = count(source, read.ts_min, read.ts_max, Some(metric)).await?;
            held = exactly.get(metric).copied().unwrap_or(0);
        }
        if is_different(read, held, allows_more) {
            differences.push(Difference {
                metric: metric.clone(),
                read: read.samples,
                found: held,
            });
        }
    }
    Ok(differences)
}

fn is_different(read: &Count, held: u64, allows_more: bool) -> bool {
    held < read.samples || (held > read.samples && !allows_more)
}

/// Samples by metric in a closed range of instants, of one metric or of all.
async fn count(
    source: &Source,
    start: i64,
    end: i64,
    metric: Option<&str>,
) -> Result<BTreeMap<String, u64>, SqlFailure> {
    let mut counts = BTreeMap::new();
    let only = metric.map_or(String::new(), |metric| {
        format!(" AND metric = '{}'", metric.replace('\'', "''"))
    });
    let mut from = start;
    while from <= end {
        let to = from.saturating_add(STEP_MS - 1).min(end);
        let query = format!(
            "SELECT metric, count(*) AS n FROM samples WHERE ts >= to_timestamp_millis({from}) \
             AND ts <= to_timestamp_millis({to}){only} GROUP BY metric"
        );
        let (_, batches) = source.batches(&query).await?.collect().await?;
        for batch in batches {
            // The name's own type may be a dictionary.
            let metrics = arrow::compute::cast(batch.column(0), &DataType::Utf8);
            let numbers = arrow::compute::cast(batch.column(1), &DataType::Int64);
            let (Ok(metrics), Ok(numbers)) = (metrics, numbers) else {
                return Err(SqlFailure::BrokeOff {
                    reason: "the counts have other types than expected".to_owned(),
                });
            };
            let (metrics, numbers) = (metrics.as_string::<i32>(), numbers.as_primitive::<Int64Type>());
            for (name, n) in metrics.iter().zip(numbers.values()) {
                *counts.entry(name.unwrap_or_default().to_owned()).or_insert(0) += n.unsigned_abs();
            }
        }
        from = to.saturating_add(1);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_a_difference_unless_it_is_allowed() {
        let read = Count {
            samples: 5,
            ts_min: 0,
            ts_max: 1,
        };
        let different = |held, allows_more| is_different(&read, held, allows_more);
        assert!(!different(5, false) && different(4, true) && different(6, false) && !different(6, true));
        let told = |found| {
            Difference {
                metric: "up".to_owned(),
                read: 5,
                found,
            }
            .told()
        };
        assert_eq!(told(3), "up: 2 of 5 samples are not in the target");
        assert!(told(7).contains("2 samples more than the 5"));
    }
}
