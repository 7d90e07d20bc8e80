//! One request of a tenant on its way in: what it asks at each step, and what is counted in the end.
//!
//! ```text
//! check      before the body is read: is there anything left of the rate?
//! labels     while series are decoded
//! samples    when they are counted and before anything is entered
//! new_series for each that the head does not know
//! entered    when the head has entered them
//! stored     when the samples are on disk
//! refused    for each reason for which something was not taken
//! ```

use std::sync::Arc;

use barograph_engine::{Head, SeriesRef};

use super::Tenants;
use super::account::Account;
use super::owners::Owner;
use super::refusal::LimitRefusal;
use crate::ingest::LabelLimits;

/// One request.
#[derive(Debug)]
pub struct Admission {
    tenants: Arc<Tenants>,
    account: Arc<Account>,
    owner: Owner,
    /// places of the series that were admitted as new and are not entered yet
    admitted: Vec<usize>,
}

impl Admission {
    pub(super) fn new(tenants: Arc<Tenants>, account: Arc<Account>, owner: Owner) -> Self {
        Self {
            tenants,
            account,
            owner,
            admitted: Vec::new(),
        }
    }

    /// What a series' labels may be.
    #[must_use]
    pub fn labels(&self) -> &LabelLimits {
        self.account.labels()
    }

    /// Whether the request is worth reading.
    ///
    /// # Errors
    /// [`LimitRefusal::SamplesRate`] while the tenant, or all together, have sent more than their rate.
    pub fn check(&self) -> Result<(), LimitRefusal> {
        let now_ns = self.tenants.clock.monotonic_ns();
        self.tenants.all.check_rate(now_ns)?;
        self.account.check_rate(now_ns)
    }

    /// Takes samples from the rates, all or none.
    ///
    /// # Errors
    /// [`LimitRefusal::SamplesRate`].
    pub fn samples(&self, count: usize) -> Result<(), LimitRefusal> {
        let now_ns = self.tenants.clock.monotonic_ns();
        let count = count as f64;
        self.account.take_samples(count, now_ns)?;
        self.tenants
            .all
            .take_samples(count, now_ns)
            .inspect_err(|_| self.account.put_samples_back(count))
    }

    /// Admits series number `place` of the request, which the head does not know. `known` is how many series the head
    /// has, `room` for how many more the memory budget has room.
    ///
    /// # Errors
    /// [`LimitRefusal`] says which limit, of whom.
    pub fn new_series(&mut self, place: usize, known: usize, room: usize) -> Result<(), LimitRefusal> {
        let now_ns = self.tenants.clock.monotonic_ns();
        let entering = self.admitted.len();
        if entering >= room {
            return Err(LimitRefusal::Memory { series: known });
        }
        let is_rated = self.tenants.is_warm(now_ns);
        self.account.add_new_series(is_rated, now_ns)?;
        self.tenants
            .all
            .check_new_series((known + entering) as u64, is_rated, now_ns)
            .inspect_err(|_| self.account.take_back_new_series(is_rated))?;
        self.admitted.push(place);
        Ok(())
    }

    /// `head` has answered: `series` has what it knows or has entered, by place. `current` is the store's head by now;
    /// where it is another one, the numbers mean nothing any more, and the series are counted when they are next written.
    pub fn entered(&mut self, series: &[Option<SeriesRef>], head: &Head, current: &Head) {
        let now_ns = self.tenants.clock.monotonic_ns();
        let tenants = &self.tenants;
        if head.is(current) {
            tenants.follow(head, now_ns);
            tenants
                .owners
                .written(series, &self.admitted, self.owner, now_ns, &mut |from, to| {
                    tenants.moved(from, to);
                });
        }
        // Each was counted when it was admitted, and once more when it found its owner.
        for _ in self.admitted.drain(..) {
            self.account.has_entered();
        }
    }

    /// Counts what was refused for a reason, and tells it. `samples` is 0 where they were not counted.
    pub fn refused(&self, reason: &'static str, samples: u64, example: &str) {
        self.tenants.refused(&self.account, reason, samples, example);
    }

    /// Whose request it is.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // A request that was given up between the two steps.
        for _ in self.admitted.drain(..) {
            self.account.has_entered();
        }
    }
}
