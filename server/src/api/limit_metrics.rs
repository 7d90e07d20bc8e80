//! Memory and tenants in `/metrics`.

use std::fmt;

use barograph_model::MemoryBudget;

use super::metrics::Figures;
use crate::memory::ProcessMemory;
use crate::tenants::{RefusedCounts, Tenants};

/// The budget, its shares, and what the system says.
pub(super) fn memory(out: &mut Figures<'_, '_>, memory: &MemoryBudget) -> fmt::Result {
    out.gauge(
        "memory_budget_bytes",
        "What the whole process may hold",
        to_i64(memory.total_bytes()),
    )?;
    let shares = || memory.shares().map(|share| (share.share.to_string(), share));
    out.gauges(
        "memory_bytes",
        "What each part holds of the memory budget",
        "share",
        shares().map(|(name, share)| (name, to_i64(share.used_bytes))),
    )?;
    out.gauges(
        "memory_peak_bytes",
        "The most that each part has held",
        "share",
        shares().map(|(name, share)| (name, to_i64(share.peak_bytes))),
    )?;
    out.gauges(
        "memory_max_bytes",
        "The most that each part may hold",
        "share",
        shares().map(|(name, share)| (name, to_i64(share.max_bytes))),
    )?;
    out.counters(
        "memory_refusals",
        "How often a part was refused more memory",
        "share",
        shares().map(|(name, share)| (name, share.refusals)),
    )?;
    let Some(process) = ProcessMemory::now() else {
        return Ok(());
    };
    let kinds = [
        ("anonymous", process.anonymous_bytes),
        ("mapped_files", process.file_bytes),
    ];
    out.gauges(
        "process_resident_bytes",
        "Resident memory; pages of mapped files are the page cache's and not in the budget",
        "kind",
        kinds
            .into_iter()
            .map(|(kind, bytes)| (kind.to_owned(), to_i64(bytes))),
    )?;
    out.gauge(
        "process_resident_peak_bytes",
        "The most that resident memory has been, mapped files included",
        to_i64(process.peak_bytes),
    )
}

/// What each tenant writes, and what was refused to it. As many tenants as are told apart.
pub(super) fn tenants(out: &mut Figures<'_, '_>, tenants: &Tenants) -> fmt::Result {
    let accounts = tenants.accounts();
    let named = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
    out.gauges(
        "tenant_series",
        "Series that a tenant wrote first and within the last hour",
        "tenant",
        accounts
            .iter()
            .map(|account| (account.name().to_owned(), named(account.series()))),
    )?;
    out.counters(
        "tenant_samples",
        "Samples acknowledged to a tenant",
        "tenant",
        accounts
            .iter()
            .map(|account| (account.name().to_owned(), account.samples())),
    )?;
    let refused: Vec<([String; 2], RefusedCounts)> = accounts
        .iter()
        .flat_map(|account| {
            let tenant = account.name().to_owned();
            account
                .refused()
                .into_iter()
                .map(move |(reason, counts)| ([tenant.clone(), reason.to_owned()], counts))
        })
        .collect();
    out.counters_by_two(
        "ingest_refused",
        "Requests of which all or a part was refused, by tenant and reason",
        ["tenant", "reason"],
        refused
            .iter()
            .map(|(labels, counts)| (labels.clone(), counts.requests)),
    )?;
    out.counters_by_two(
        "ingest_refused_samples",
        "What was refused of requests that had been decoded: samples, histograms, exemplars, metadata entries",
        ["tenant", "reason"],
        refused.iter().map(|(labels, counts)| (labels.clone(), counts.samples)),
    )
}

fn to_i64(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
