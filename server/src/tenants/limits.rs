//! What may be limited, for one tenant and for all together.

use std::collections::BTreeMap;

use super::TenantId;
use crate::ingest::LabelLimits;

/// Limits; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantLimits {
    /// Series that are being written.
    pub series_max: Option<u64>,
    /// Series a minute that were not being written before.
    pub new_series_per_minute: Option<u64>,
    /// Samples a second in the long run.
    pub samples_per_second: Option<u64>,
    /// Samples that may come at once after a pause; `None` is ten seconds of `samples_per_second`.
    pub samples_burst: Option<u64>,
    /// Labels of a series, the metric's name included.
    pub label_names_max: Option<u64>,
    /// Bytes of a label's name.
    pub label_name_bytes_max: Option<u64>,
    /// Bytes of a label's value, the metric's name included.
    pub label_value_bytes_max: Option<u64>,
}

impl TenantLimits {
    /// The caps on labels, where these are lower.
    #[must_use]
    pub fn lower(&self, labels: LabelLimits) -> LabelLimits {
        let lower = |limit: Option<u64>, cap: usize| {
            limit.map_or(cap, |limit| usize::try_from(limit).unwrap_or(usize::MAX).min(cap))
        };
        LabelLimits {
            count_max: lower(self.label_names_max, labels.count_max),
            name_bytes_max: lower(self.label_name_bytes_max, labels.name_bytes_max),
            value_bytes_max: lower(self.label_value_bytes_max, labels.value_bytes_max),
            ..labels
        }
    }
}

/// `[limits]` and `[[tenant]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// `[limits]`: for all tenants together; those on labels for each series.
    pub global: TenantLimits,
    /// `[[tenant]]` with `id = "*"`: for each tenant that has no block of its own.
    pub each: TenantLimits,
    /// `[[tenant]]`: for the tenant that is named.
    pub tenants: BTreeMap<TenantId, TenantLimits>,
    /// `tenants_max` in `[limits]`: tenants without a block of their own that are told apart; more share one account.
    pub tenants_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            global: TenantLimits::default(),
            each: TenantLimits::default(),
            tenants: BTreeMap::new(),
            tenants_max: 1000,
        }
    }
}
