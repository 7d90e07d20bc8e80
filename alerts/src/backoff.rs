//! When a failed delivery is tried again: exponential, with jitter drawn from the entry itself.

use crate::DeliveryPolicy;
use crate::fingerprint::Fingerprint;

/// The wait after `attempts` failed ones (at least 1), in milliseconds.
///
/// It doubles from `first_retry_ms` up to `longest_retry_ms`; of that, between half and all is taken, drawn from
/// the idempotency key and the attempt, so that a planned wait is the same in a replay and queues that failed
/// together do not come back together. A receiver's own wish (`Retry-After`) lengthens it, up to the same cap.
pub(crate) fn wait_ms(policy: &DeliveryPolicy, key: &str, attempts: u32, asked_ms: Option<i64>) -> i64 {
    let longest = policy.longest_retry_ms.max(1);
    let doublings = attempts.saturating_sub(1).min(40);
    let full = policy
        .first_retry_ms
        .max(1)
        .saturating_mul(1 << doublings)
        .min(longest);
    let draw = Fingerprint::new("jitter")
        .text(key)
        .int(u64::from(attempts))
        .to_u64();
    let half = full / 2;
    let jittered = full - (draw % (half as u64 + 1)) as i64;
    jittered.max(asked_ms.unwrap_or(0).min(longest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let policy = DeliveryPolicy::default();
        for (attempts, full) in [
            (1, 1_000),
            (2, 2_000),
            (5, 16_000),
            (10, 300_000),
            (u32::MAX, 300_000),
        ] {
            let wait = wait_ms(&policy, "k", attempts, None);
            assert!((full / 2..=full).contains(&wait), "{attempts}: {wait}");
        }
        assert_eq!(wait_ms(&policy, "k", 1, Some(60_000)), 60_000);
        assert_eq!(wait_ms(&policy, "k", 1, Some(i64::MAX)), 300_000);
    }

    proptest! {
        #[test]
        fn is_deterministic_and_in_range(
            first in any::<i64>(), longest in any::<i64>(), attempts in any::<u32>(), key in "[a-z]{0,8}",
        ) {
            let policy = DeliveryPolicy { first_retry_ms: first, longest_retry_ms: longest, give_up_after_ms: 0 };
            let wait = wait_ms(&policy, &key, attempts, None);
            prop_assert_eq!(wait, wait_ms(&policy, &key, attempts, None));
            prop_assert!(wait >= 1 && wait <= longest.max(1));
        }
    }
}
