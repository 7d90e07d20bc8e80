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
pub(crate) struct Budget {
    /// Segments of different age that are read at once.
    pub(crate) inputs_max: usize,
    /// Rows of a row group.
    pub(crate) row_group_rows: usize,
    /// The table of series of one file.
    pub(crate) series_heap_bytes_max: usize,
}

impl Budget {
    /// Shares out `bytes`. Thirteen inputs are read whatever it says: with less than 104 MiB the worst case takes more.
    pub(crate) fn of(bytes: usize, row_group_rows: usize) -> Self {
        Self {
            inputs_max: (bytes / 2 / INPUT_BYTES).max(INPUTS_MIN),
            row_group_rows: row_group_rows.min(bytes / 4 / ROW_BYTES).max(1),
            series_heap_bytes_max: bytes / 8,
        }
    }

    /// The share of each of several outputs, a row of which may take so many bytes.
    pub(crate) fn shared_by(self, outputs: usize, row_bytes: usize) -> Self {
        let outputs = outputs.max(1);
        Self {
            inputs_max: self.inputs_max,
            row_group_rows: (self.row_group_rows * ROW_BYTES / row_bytes.max(1) / outputs).max(1),
            series_heap_bytes_max: self.series_heap_bytes_max / outputs,
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
        let half = ordinary.shared_by(2, 2 * ROW_BYTES);
        assert_eq!(
            (half.row_group_rows, half.series_heap_bytes_max),
            (174_762, 8 << 20)
        );
    }
}
