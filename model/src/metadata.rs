//! What is said about metric families: type, help, unit.

use serde::{Deserialize, Serialize};

/// The type of a metric family, as remote write numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricType {
    /// Not said.
    #[default]
    Unknown,
    /// Only ever rises, but for resets.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
    /// A histogram whose buckets may fall.
    GaugeHistogram,
    /// Quantiles, a sum and a count.
    Summary,
    /// Facts as labels; the value is 1.
    Info,
    /// One series a state; the value is 0 or 1.
    StateSet,
}

impl MetricType {
    /// The type's name as Prometheus' API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// The type's number, the same in remote write 1.0, 2.0 and on disk.
    #[must_use]
    pub fn to_number(self) -> u8 {
        self as u8
    }

    /// The type of a number; one that is not defined is unknown, as protobuf's open enums want it.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Counter,
            2 => Self::Gauge,
            3 => Self::Histogram,
            4 => Self::GaugeHistogram,
            5 => Self::Summary,
            6 => Self::Info,
            7 => Self::StateSet,
            _ => Self::Unknown,
        }
    }
}

/// What is known of a metric family.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// Counter, gauge, ...
    #[serde(rename = "type")]
    pub metric_type: MetricType,
    /// A sentence for people; may be empty.
    pub help: String,
    /// The unit of the values, such as `seconds`; may be empty.
    pub unit: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_come_back() {
        for number in 0..8 {
            let metric_type = MetricType::from_number(number);
            assert_eq!(u64::from(metric_type.to_number()), number);
            let json = serde_json::to_string(&metric_type).unwrap();
            assert_eq!(json, format!("{:?}", metric_type.as_str()));
        }
        assert_eq!(MetricType::from_number(8), MetricType::Unknown);
    }
}
