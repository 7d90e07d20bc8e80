//! Which parts of buckets are wanted.

/// Parts of a bucket: a reader leaves the others alone, and with them their columns. What tells a bucket, its end, count
/// and staleness, is always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketParts(u16);

impl BucketParts {
    /// Nothing but end, count and staleness.
    pub const NONE: Self = Self(0);
    /// `first_ts` and `last_ts`.
    pub const INSTANTS: Self = Self(1);
    /// `sum`.
    pub const SUM: Self = Self(1 << 1);
    /// `first`.
    pub const FIRST: Self = Self(1 << 2);
    /// `last`.
    pub const LAST: Self = Self(1 << 3);
    /// `min`, and with it `first`, which it is where it is not kept.
    pub const MIN: Self = Self(1 << 4).and(Self::FIRST);
    /// `max`, and with it `last`, which it is where it is not kept.
    pub const MAX: Self = Self(1 << 5).and(Self::LAST);
    /// `resets`, and with them the ends, since buckets are joined by them.
    pub const RESETS: Self = Self(1 << 6).and(Self::FIRST).and(Self::LAST);
    /// `changes`, and with them the ends.
    pub const CHANGES: Self = Self(1 << 7).and(Self::FIRST).and(Self::LAST);
    /// `before_resets`, and with it the ends: [`Bucket::increase`](super::Bucket::increase).
    pub const INCREASE: Self = Self(1 << 8).and(Self::FIRST).and(Self::LAST);
    /// Everything.
    pub const ALL: Self = Self((1 << 9) - 1);

    /// These and others.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether one of them is a number with a mantissa.
    pub(crate) const fn has_number(self) -> bool {
        let others = Self::INSTANTS.0 | (1 << 6) | (1 << 7);
        self.0 & !others != 0
    }

    /// Whether all of some others are among these.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}
