//! The order of series: by metric, job, instance, then id, so that what is asked together lies together.

use barograph_model::Labels;

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
}
