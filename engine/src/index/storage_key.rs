//! The order of series: by metric, job, instance, then id, so that what is asked together lies together.

use barograph_model::{Labels, METRIC_NAME};

/// What series are sorted by before their ids: `metric \0 job \0 instance`. Series with equal keys form a group.
///
/// The order is that of these bytes. For labels without NUL it is the order of the three values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StorageKey(Box<[u8]>);

impl StorageKey {
    /// The key of a label set; an absent label counts as empty.
    pub(crate) fn of(labels: &Labels) -> Self {
        Self::from_parts(labels.metric(), labels.get("job"), labels.get("instance"))
    }

    pub(crate) fn from_parts(metric: &str, job: &str, instance: &str) -> Self {
        let mut key = Vec::with_capacity(metric.len() + job.len() + instance.len() + 2);
        for (i, part) in [metric, job, instance].into_iter().enumerate() {
            if i > 0 {
                key.push(0);
            }
            key.extend_from_slice(part.as_bytes());
        }
        Self(key.into_boxed_slice())
    }

    /// A key that was read back from an index.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes.into_boxed_slice())
    }

    /// What a label has, where the key says so: it does of `__name__`, `job` and `instance`, unless one of them
    /// holds NUL.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let mut parts = self.0.split(|byte| *byte == 0);
        let values = [parts.next()?, parts.next()?, parts.next()?];
        if parts.next().is_some() {
            return None;
        }
        let place = [METRIC_NAME, "job", "instance"]
            .iter()
            .position(|known| *known == name)?;
        std::str::from_utf8(values[place]).ok()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_three_labels() {
        let key = StorageKey::from_parts("up", "", "a:1");
        let known = |name: &str| key.label(name);
        assert_eq!(
            (known("__name__"), known("job"), known("instance")),
            (Some("up"), Some(""), Some("a:1"))
        );
        assert_eq!(known("zone"), None);
        assert_eq!(StorageKey::from_parts("u\0p", "", "").label("job"), None);
    }

    #[test]
    fn keys_sort_as_the_three_values_do() {
        let triples = [
            ("a", "z", "z"),
            ("a\u{1}", "", ""),
            ("ab", "a", "b"),
            ("ab", "a", "bc"),
            ("ab", "ab", ""),
        ];
        let keys: Vec<_> = triples
            .iter()
            .map(|(m, j, i)| StorageKey::from_parts(m, j, i))
            .collect();
        assert!(keys.windows(2).all(|w| w[0] < w[1]));
    }
}
