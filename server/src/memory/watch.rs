//! Compares the account with the system's, and tells when the process is larger than its budget.

use std::sync::Arc;
use std::time::Duration;

use barograph_model::MemoryBudget;
use tokio_util::sync::CancellationToken;

use super::ProcessMemory;
use crate::tenants::Tenants;

/// How often. A sender on a fast network brings some 50 MB in this time.
const EVERY: Duration = Duration::from_millis(250);

/// Runs until `stop`. Mapped files are not counted: the system takes their pages back when it needs them.
pub async fn watch_memory(memory: Arc<MemoryBudget>, tenants: Arc<Tenants>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut was_pressed = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Some(process) = ProcessMemory::now() {
            memory.observe_resident(process.anonymous_bytes);
        }
        let is_pressed = memory.is_pressed();
        if is_pressed && !was_pressed {
            let shares: Vec<String> = memory
                .shares()
                .map(|share| format!("{} {} MiB", share.share, share.used_bytes >> 20))
                .collect();
            tracing::warn!(
                resident_bytes = memory.resident_bytes(),
                budget_bytes = memory.total_bytes(),
                shares = shares.join(", "),
                "the process holds more memory than memory_budget: writes are refused until it holds less"
            );
        } else if was_pressed && !is_pressed {
            tracing::info!(
                resident_bytes = memory.resident_bytes(),
                "the process is within memory_budget again"
            );
        }
        was_pressed = is_pressed;
        tenants.tick();
    }
}
