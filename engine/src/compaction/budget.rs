//! How the memory of a merge is shared out: half to what is read, a quarter to the open row group, an eighth to the
//! table of series of the result and as much to its index.

/// Memory for reading one segment, at most: a batch and a page of each of four columns of samples, and two pages, two
/// dictionaries and some hundred rows of the series file.
const INPUT_BYTES: usize = 4 << 20;

/// A day's windows and its merged file must be readable at once, or a day could never be merged.
const INPUTS_MIN: usize = 13;

/// Memory for a row that waits in an open row group, at most: both its integers, its exponent, its double and its flag
/// as they are, should nothing compress.
const ROW_BYTES: usize = 48;

/// What a merge may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// Segments of different age that are read at once.
    pub(super) inputs_max: usize,
    /// Rows of a row group.
    pub(super) row_group_rows: usize,
    /// The table of series of one file.
    pub(super) series_heap_bytes_max: usize,
}

impl Budget {
    /// Shares out `bytes`. Thirteen inputs are read whatever it says: with less than 104 MiB the worst case takes more.
    pub(super) fn of(bytes: usize, row_group_rows: usize) -> Self {
        Self {
            inputs_max: (bytes / 2 / INPUT_BYTES).max(INPUTS_MIN),
            row_group_rows: row_group_rows.min(bytes / 4 / ROW_BYTES).max(1),
            series_heap_bytes_max: bytes / 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_always_readable() {
        let small = Budget::of(1 << 20, 1 << 20);
        assert_eq!((small.inputs_max, small.row_group_rows), (13, 5461));
        let ordinary = Budget::of(128 << 20, 1 << 20);
        assert_eq!((ordinary.inputs_max, ordinary.row_group_rows), (16, 699_050));
        assert_eq!(Budget::of(1 << 30, 1 << 20).row_group_rows, 1 << 20);
    }
}
