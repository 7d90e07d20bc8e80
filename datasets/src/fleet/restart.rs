//! When each process was started. Counters begin at 0 there.

use super::topology::{Service, service_of};
use super::{Fleet, MINUTE_MS};
use crate::fleet::season::weekday;
use crate::incident::plan::{self, LIVE_ROUND, LIVE_SLOT_MS};
use crate::noise::mix;

const DAY_MS: i64 = 86_400_000;
/// A service is left alone this long before and after an incident of its own.
const FREEZE_MS: i64 = 3_600_000;

impl Fleet {
    /// The last start of a process at or before an instant, in ms; a full minute.
    pub(super) fn last_restart(&self, instance: usize, at_ms: i64) -> i64 {
        let today = at_ms.div_euclid(DAY_MS);
        let routine = (0..).find_map(|back| self.deploy(instance, today - back).filter(|ms| *ms <= at_ms));
        let planned = self.planned_near(instance, at_ms).filter(|ms| *ms <= at_ms).max();
        // Every service is deployed weekly and no freeze lasts as long, so `routine` is always there.
        routine.max(planned).unwrap_or(at_ms)
    }

    /// The first start of a process after an instant.
    pub(super) fn next_restart(&self, instance: usize, at_ms: i64) -> i64 {
        let today = at_ms.div_euclid(DAY_MS);
        let routine = (0..).find_map(|ahead| self.deploy(instance, today + ahead).filter(|ms| *ms > at_ms));
        let planned = self.planned_near(instance, at_ms).filter(|ms| *ms > at_ms).min();
        routine.into_iter().chain(planned).min().unwrap_or(i64::MAX)
    }

    /// The routine deploy of a day, rolling through the instances three minutes apart.
    fn deploy(&self, instance: usize, day: i64) -> Option<i64> {
        let service = service_of(instance);
        let day_ms = day * DAY_MS;
        if !service.deploy_weekdays().contains(&weekday(day_ms)) {
            return None;
        }
        let minute = 9 * 60 + (mix(self.restart_key ^ service as u64, day) % 360) as i64;
        let roll = (instance - service.first_instance()) as i64 * 3;
        (!self.frozen(service, day_ms + minute * MINUTE_MS)).then_some(day_ms + (minute + roll) * MINUTE_MS)
    }

    fn frozen(&self, service: Service, at_ms: i64) -> bool {
        self.history.iter().any(|incident| {
            incident.services.contains(&service)
                && (incident.start.0 - FREEZE_MS..incident.end.0 + FREEZE_MS).contains(&at_ms)
        })
    }

    /// The restarts that belong to incidents: all of the back-fill, and those of the live ones a round before and
    /// after an instant.
    fn planned_near(&self, instance: usize, at_ms: i64) -> impl Iterator<Item = i64> {
        let slot = (at_ms - self.now.0).div_euclid(LIVE_SLOT_MS);
        let slots = (slot - LIVE_ROUND).max(0)..(slot + LIVE_ROUND + 1).max(0);
        let live = slots.flat_map(|k| plan::restarts(&plan::live(self.now.0, k)));
        let all = self.planned_restarts.iter().copied().chain(live);
        all.filter(move |(of, _)| *of == instance).map(|(_, ms)| ms)
    }
}
