//! Who sends, and how much each may: tenants, their limits, and what was refused to them.
//!
//! A sender names its tenant in the header `X-Scope-OrgID`. A tenant is for limits and for counting, not for isolation:
//! all samples lie in one store and every query sees all of them, and two tenants that write the same labels write the
//! same series.
//!
//! ```text
//! id          a tenant's name, checked
//! limits      what may be limited, for one tenant and for all together
//! bucket      so many things a second, with a burst
//! account     one tenant: its limits, its buckets, what it was refused
//! owners      which tenant each series of the head belongs to
//! directory   all accounts, bounded in number
//! admission   one request of a tenant on its way in
//! refusal     the answers
//! refusal_log a line a minute for each reason
//! ```
//!
//! Invariants:
//! - a known series is never refused for a limit on series, only new ones are, and the rest of the request is stored;
//! - nothing here grows with what senders make up: tenants beyond a bound share one account, reasons are fixed texts.

mod account;
mod admission;
mod bucket;
mod directory;
mod id;
mod limits;
mod owners;
mod refusal;
mod refusal_log;

pub use account::{Account, RefusedCounts};
pub use admission::Admission;
pub use directory::Tenants;
pub use id::{DEFAULT_TENANT, HEADER, TenantId, TenantIdError};
pub use limits::{LimitsConfig, TenantLimits};
pub use refusal::{LimitRefusal, Whose};

#[cfg(test)]
mod tests;
