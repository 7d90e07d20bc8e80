//! Short stable names for alerts and deliveries: 128-bit hashes of length-prefixed parts, in hexadecimal.
//!
//! They are stored and leave the program (idempotency keys), so the parts and their order never change.

use barograph_model::Labels;
use xxhash_rust::xxh3::Xxh3;

/// A hash over parts that cannot run into each other.
#[derive(Default)]
pub(crate) struct Fingerprint {
    hasher: Xxh3,
}

impl Fingerprint {
    /// `domain` keeps the names of different things apart.
    pub(crate) fn new(domain: &str) -> Self {
        Self::default().text(domain)
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.hasher.update(&(text.len() as u64).to_le_bytes());
        self.hasher.update(text.as_bytes());
        self
    }

    pub(crate) fn int(mut self, value: u64) -> Self {
        self.hasher.update(&value.to_le_bytes());
        self
    }

    pub(crate) fn labels(self, labels: &Labels) -> Self {
        let counted = self.int(labels.len() as u64);
        labels
            .iter()
            .fold(counted, |hash, (name, value)| hash.text(name).text(value))
    }

    pub(crate) fn to_hex(&self) -> String {
        format!("{:032x}", self.hasher.digest128())
    }

    /// 64 bits to draw from.
    pub(crate) fn to_u64(&self) -> u64 {
        self.hasher.digest()
    }
}

/// The name of one alert: the same for every event of it, over restarts and reloads.
pub(crate) fn alert_fingerprint(group: &str, rule: &str, identity: &Labels) -> String {
    Fingerprint::new("alert")
        .text(group)
        .text(rule)
        .labels(identity)
        .to_hex()
}

/// The name of what is said about a rule itself (failing, over its limit).
pub(crate) fn rule_fingerprint(group: &str, rule: &str) -> String {
    Fingerprint::new("rule").text(group).text(rule).to_hex()
}

/// The name of what is said about a channel that does not deliver.
pub(crate) fn channel_fingerprint(channel: &str) -> String {
    Fingerprint::new("channel").text(channel).to_hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_change() {
        let labels = Labels::from_pairs([("service", "orders")]).unwrap();
        assert_eq!(
            alert_fingerprint("g", "r", &labels),
            "4082b1c19e65dd46d5b92547faeb1f21"
        );
        assert_eq!(rule_fingerprint("g", "r"), "cb90cf44e5111e639f75c028767ca421");
        assert_eq!(channel_fingerprint("hook"), "df2880c175672e5986ba99ce6f01a404");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(rule_fingerprint("ab", "c"), rule_fingerprint("a", "bc"));
    }
}
