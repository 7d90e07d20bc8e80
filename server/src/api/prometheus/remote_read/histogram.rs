//! A native histogram as remote read sends it.

use barograph_model::{HistogramCounts, Span};
use barograph_proto::prometheus::histogram::{Count, ZeroCount};
use barograph_proto::prometheus::{BucketSpan, Histogram};

/// The message of a histogram at an instant in milliseconds.
pub(super) fn histogram_message(timestamp: i64, histogram: &barograph_model::Histogram) -> Histogram {
    let parts = histogram.parts();
    let mut message = Histogram {
        sum: parts.sum,
        schema: parts.schema,
        zero_threshold: parts.zero_threshold,
        negative_spans: spans(&parts.negative_spans),
        positive_spans: spans(&parts.positive_spans),
        reset_hint: i32::from(parts.reset_hint.to_number()),
        timestamp,
        custom_values: parts.custom_values.clone(),
        ..Histogram::default()
    };
    match &parts.counts {
        HistogramCounts::Integer {
            count,
            zero_count,
            positive,
            negative,
        } => {
            message.count = Some(Count::CountInt(*count));
            message.zero_count = Some(ZeroCount::ZeroCountInt(*zero_count));
            message.positive_deltas = deltas(positive);
            message.negative_deltas = deltas(negative);
        }
        HistogramCounts::Float {
            count,
            zero_count,
            positive,
            negative,
        } => {
            message.count = Some(Count::CountFloat(*count));
            message.zero_count = Some(ZeroCount::ZeroCountFloat(*zero_count));
            message.positive_counts.clone_from(positive);
            message.negative_counts.clone_from(negative);
        }
    }
    message
}

fn spans(spans: &[Span]) -> Vec<BucketSpan> {
    let span = |span: &Span| BucketSpan {
        offset: span.offset,
        length: span.length,
    };
    spans.iter().map(span).collect()
}

/// Each count as its difference to the one before.
fn deltas(counts: &[u64]) -> Vec<i64> {
    let mut before = 0;
    let delta = |count: &u64| {
        let now = *count as i64;
        now.wrapping_sub(std::mem::replace(&mut before, now))
    };
    counts.iter().map(delta).collect()
}

#[cfg(test)]
mod tests {
    use barograph_model::HistogramParts;

    use super::*;

    #[test]
    fn whole_numbers_are_sent_as_differences() {
        let parts = HistogramParts {
            sum: 12.5,
            positive_spans: vec![Span {
                offset: -1,
                length: 3,
            }],
            counts: HistogramCounts::Integer {
                count: 9,
                zero_count: 1,
                positive: vec![5, 2, 1],
                negative: Vec::new(),
            },
            ..HistogramParts::default()
        };
        let message = histogram_message(7, &barograph_model::Histogram::new(parts).unwrap());
        assert_eq!(message.positive_deltas, [5, -3, -1]);
        assert_eq!((message.count, message.timestamp), (Some(Count::CountInt(9)), 7));
    }
}
