//! What a sender is told that is over a limit.

use std::fmt;

use axum::http::StatusCode;
use thiserror::Error;

use crate::http::Refusal;

/// Who is over a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// All tenants together.
    All,
    /// One of them.
    Tenant(String),
    /// Those beyond `tenants_max`.
    Others,
}

impl Whose {
    /// A tenant's name, or a word in its place that no tenant can have.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::All => "(all)",
            Self::Tenant(name) => name,
            Self::Others => "(others)",
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all tenants together"),
            Self::Tenant(name) => write!(f, "tenant {name:?}"),
            Self::Others => f.write_str("the tenants beyond tenants_max"),
        }
    }
}

/// A limit that is reached.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LimitRefusal {
    /// Too many samples a second.
    #[error("{whose} may send {limit} samples a second (samples_per_second) and has sent more")]
    SamplesRate {
        /// Who.
        whose: Whose,
        /// The limit.
        limit: u64,
        /// When there is room again.
        retry_after_s: u32,
    },
    /// Too many series.
    #[error("{whose} may write {limit} series (series_max) and does so already")]
    SeriesMax {
        /// Who.
        whose: Whose,
        /// The limit.
        limit: u64,
    },
    /// Too many new series a minute.
    #[error("{whose} may begin {limit} series a minute (new_series_per_minute) and has begun more")]
    NewSeriesRate {
        /// Who.
        whose: Whose,
        /// The limit.
        limit: u64,
        /// When there is room again.
        retry_after_s: u32,
    },
    /// The series that are being written take all the memory they may.
    #[error("the series that are being written take all of their part of memory_budget, {series} of them")]
    Memory {
        /// How many there are.
        series: usize,
    },
}

impl LimitRefusal {
    /// The value of the label `reason` in `/metrics`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::SamplesRate { .. } => "samples_per_second",
            Self::SeriesMax { .. } => "series_max",
            Self::NewSeriesRate { .. } => "new_series_per_minute",
            Self::Memory { .. } => "series_memory",
        }
    }

    /// When sending again may help, for limits on a rate.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::SamplesRate { retry_after_s, .. } | Self::NewSeriesRate { retry_after_s, .. } => {
                Some(*retry_after_s)
            }
            Self::SeriesMax { .. } | Self::Memory { .. } => None,
        }
    }

    /// The answer to a request of which nothing is stored.
    #[must_use]
    pub fn to_refusal(&self) -> Refusal {
        let message = format!("nothing of this request was stored: {self}; send it again later");
        Refusal {
            retry_after_s: self.retry_after_s(),
            reason: self.reason(),
            ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, message)
        }
    }
}
