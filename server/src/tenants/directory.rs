//! All accounts: those of the configuration, those of senders that came, and one for the rest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use barograph_engine::Head;
use barograph_model::Clock;

use super::account::Account;
use super::owners::{Owner, SeriesOwners};
use super::refusal::Whose;
use super::refusal_log::RefusalLog;
use super::{Admission, LimitsConfig, TenantId};
use crate::ingest::LabelLimits;

/// How long after a start over a store that has data the rate of new series is not applied: until the head has met the
/// series that were written before the start, they look new.
const WARM_UP_NS: u64 = 5 * 60_000_000_000;

/// The most accounts that can be told apart: an owner is a number of 16 bits, of which 0 is nobody.
const ACCOUNTS_MAX: usize = 60_000;

/// Who sends, and what each may. One for the program.
#[derive(Debug)]
pub struct Tenants {
    pub(super) clock: Arc<dyn Clock>,
    config: LimitsConfig,
    labels: LabelLimits,
    pub(super) all: Account,
    accounts: RwLock<Accounts>,
    pub(super) owners: SeriesOwners,
    pub(super) log: RefusalLog,
    /// the head that the owners' numbers are of
    head: Mutex<Option<Head>>,
    warm_until_ns: AtomicU64,
}

#[derive(Debug, Default)]
struct Accounts {
    numbers: HashMap<TenantId, Owner>,
    /// account `n` is at `n - 1`; the first is of those beyond the bound
    accounts: Vec<Arc<Account>>,
    /// those that the configuration does not name
    unnamed: usize,
}

impl Tenants {
    /// The accounts of a configuration. `labels` are the caps of the edge, which limits may lower. `has_history` is
    /// whether the store had data when it was opened.
    #[must_use]
    pub fn new(
        config: LimitsConfig,
        labels: LabelLimits,
        has_history: bool,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let now_ns = clock.monotonic_ns();
        let warm_until_ns = if has_history {
            now_ns.saturating_add(WARM_UP_NS)
        } else {
            0
        };
        let global = config.global.lower(labels);
        let others = Account::new(Whose::Others, config.each, global, now_ns);
        let mut accounts = Accounts {
            accounts: vec![Arc::new(others)],
            ..Accounts::default()
        };
        for (id, limits) in config.tenants.iter().take(ACCOUNTS_MAX / 2) {
            let account = Account::new(Whose::Tenant(id.to_string()), *limits, global, now_ns);
            accounts.add(id.clone(), account);
        }
        Arc::new(Self {
            all: Account::new(Whose::All, config.global, labels, now_ns),
            labels: global,
            config,
            accounts: RwLock::new(accounts),
            owners: SeriesOwners::default(),
            log: RefusalLog::default(),
            head: Mutex::default(),
            warm_until_ns: AtomicU64::new(warm_until_ns),
            clock,
        })
    }

    /// No limits at all.
    #[must_use]
    pub fn unlimited(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::new(LimitsConfig::default(), LabelLimits::default(), false, clock)
    }

    /// A request of a tenant.
    #[must_use]
    pub fn admit(self: &Arc<Self>, id: &TenantId) -> Admission {
        let owner = self.number_of(id);
        let account = self.account(owner);
        Admission::new(Arc::clone(self), account, owner)
    }

    /// Counts what was refused to a tenant for a reason, and tells it. `samples` is 0 where they were not counted.
    pub fn refused(&self, account: &Account, reason: &'static str, samples: u64, example: &str) {
        account.count_refused(reason, samples);
        let now_ns = self.clock.monotonic_ns();
        self.log.note(account.name(), reason, samples, example, now_ns);
    }

    /// The tenants that have sent something or are in the configuration, and the account of the rest.
    #[must_use]
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.accounts.clone()
    }

    /// The account of those that are not told apart.
    #[must_use]
    pub fn others(&self) -> Arc<Account> {
        self.account(1)
    }

    /// What concerns all tenants together.
    #[must_use]
    pub fn all(&self) -> &Account {
        &self.all
    }

    /// To be called every second or so: tells what was refused and is not told yet, and forgets who owned series that
    /// are idle.
    pub fn tick(&self) {
        let now_ns = self.clock.monotonic_ns();
        self.log.tell_due(now_ns);
        self.owners.expire(now_ns, &mut |from, to| self.moved(from, to));
    }

    /// The numbers of series are those of `head` from now on; where they were another's, series are counted anew as they
    /// are written.
    pub(super) fn follow(&self, head: &Head, now_ns: u64) {
        let mut followed = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.as_ref().is_some_and(|followed| followed.is(head)) {
            return;
        }
        *followed = Some(head.clone());
        self.owners.clear();
        for account in self.accounts() {
            account.recount_series(now_ns);
        }
    }

    /// Whether the rate of new series is applied yet.
    pub(super) fn is_warm(&self, now_ns: u64) -> bool {
        now_ns >= self.warm_until_ns.load(Relaxed)
    }

    pub(super) fn moved(&self, from: Owner, to: Owner) {
        if from != 0 {
            self.account(from).remove_series();
        }
        if to != 0 {
            self.account(to).add_series();
        }
    }

    fn account(&self, owner: Owner) -> Arc<Account> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(owner).saturating_sub(1);
        // Numbers are only ever given out with their accounts.
        Arc::clone(accounts.accounts.get(at).unwrap_or(&accounts.accounts[0]))
    }

    /// The number of a tenant's account, which is made where there is room for one more.
    fn number_of(&self, id: &TenantId) -> Owner {
        let known = |accounts: &Accounts| accounts.numbers.get(id).copied();
        if let Some(owner) = known(&self.accounts.read().unwrap_or_else(PoisonError::into_inner)) {
            return owner;
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = known(&accounts) {
            return owner;
        }
        let unnamed_max = self.config.tenants_max.min(ACCOUNTS_MAX / 2);
        if accounts.unnamed >= unnamed_max {
            return 1;
        }
        accounts.unnamed += 1;
        let now_ns = self.clock.monotonic_ns();
        let whose = Whose::Tenant(id.to_string());
        accounts.add(
            id.clone(),
            Account::new(whose, self.config.each, self.labels, now_ns),
        )
    }
}

impl Accounts {
    fn add(&mut self, id: TenantId, account: Account) -> Owner {
        self.accounts.push(Arc::new(account));
        // Below `ACCOUNTS_MAX`, which fits.
        let owner = self.accounts.len() as Owner;
        self.numbers.insert(id, owner);
        owner
    }
}
