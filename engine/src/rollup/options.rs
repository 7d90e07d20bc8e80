//! Which rollups are made, and how long they are kept.

use super::RollupWidth;

/// How long the buckets of a rollup are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RollupKeep {
    /// They are not made, and those that are there are removed.
    Off,
    /// As long as the rows that they were made of.
    #[default]
    AsRows,
    /// For so many milliseconds, and never shorter than the rows. A series that a retention rule keeps for a shorter time
    /// than the default loses its buckets with its rows, whatever stands here.
    AtLeast(i64),
}

/// The rollups of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollupOptions {
    /// Buckets of five minutes.
    pub five_minutes: RollupKeep,
    /// Buckets of one hour.
    pub one_hour: RollupKeep,
}

impl RollupOptions {
    /// No rollups.
    pub const OFF: Self = Self {
        five_minutes: RollupKeep::Off,
        one_hour: RollupKeep::Off,
    };

    /// How long those of a width are kept.
    #[must_use]
    pub fn keep(&self, width: RollupWidth) -> RollupKeep {
        match width {
            RollupWidth::FiveMinutes => self.five_minutes,
            RollupWidth::OneHour => self.one_hour,
        }
    }

    /// The widths that are made.
    pub(crate) fn widths(&self) -> impl Iterator<Item = RollupWidth> {
        let options = *self;
        RollupWidth::ALL
            .into_iter()
            .filter(move |width| options.keep(*width) != RollupKeep::Off)
    }
}
