//! `[limits]` and `[[tenant]]`: what all senders, and each, may bring.

use std::collections::BTreeMap;

use super::section::Section;
use crate::tenants::{LimitsConfig, TenantId, TenantLimits};

/// The `id` of the block that stands for each tenant without one of its own.
const EACH: &str = "*";

/// `[limits]`: `tenants_max` (1000), and the limits that hold for all tenants together.
pub(super) fn read_global(section: Section<'_>, into: &mut LimitsConfig) {
    into.tenants_max = section.integer("tenants_max", 1, 30_000, into.tenants_max as u64) as usize;
    into.global = read_limits(&section);
    section.finish();
}

/// One `[[tenant]]`; `lines` are those of the blocks before, by id.
pub(super) fn read_tenant(
    section: Section<'_>,
    lines: &mut BTreeMap<String, usize>,
    into: &mut LimitsConfig,
) {
    let id = section.required_text("id", "team-a").map(str::to_owned);
    let limits = read_limits(&section);
    let line = section.line();
    if let Some(id) = id {
        if let Some(first) = lines.get(&id) {
            section.problem(
                "id",
                format!("tenant {id:?} exists already, on line {first} (ids are unique)"),
            );
        } else if id == EACH {
            into.each = limits;
        } else {
            match TenantId::parse(&id) {
                Ok(parsed) => drop(into.tenants.insert(parsed, limits)),
                Err(error) => section.problem("id", format!("id {error}")),
            }
        }
        lines.entry(id).or_insert(line);
    }
    section.finish();
}

fn read_limits(section: &Section<'_>) -> TenantLimits {
    // 0 is below the least that can be written, so it stands for an absent key.
    let count = |key| {
        let found = section.integer(key, 1, 1 << 53, 0);
        (found > 0).then_some(found)
    };
    let size = |key, example| {
        let found = section.size_bytes(key, example, 8, 0);
        (found > 0).then_some(found)
    };
    let limits = TenantLimits {
        series_max: count("series_max"),
        new_series_per_minute: count("new_series_per_minute"),
        samples_per_second: count("samples_per_second"),
        samples_burst: count("samples_burst"),
        label_names_max: count("label_names_max"),
        label_name_bytes_max: size("label_name_bytes_max", "256B"),
        label_value_bytes_max: size("label_value_bytes_max", "1KiB"),
    };
    if limits.samples_burst.is_some() && limits.samples_per_second.is_none() {
        section.problem(
            "samples_burst",
            "samples_burst has no meaning without samples_per_second",
        );
    }
    limits
}
