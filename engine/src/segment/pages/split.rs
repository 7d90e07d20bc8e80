//! `BYTE_STREAM_SPLIT`: the first bytes of all numbers of a page, then the second of all, and so on.

use super::Malformed;
use super::delta::PADDING;

/// Bytes of a number, and so streams.
const WIDTH: usize = 8;

/// Numbers put together at a time: as many as are quickly seen to agree in most of their bytes, which instants do.
const GROUP: usize = 256;

/// Stands at a number of a page.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// where the first stream begins
    at: usize,
    /// numbers of the page, the bytes of a stream
    numbers: usize,
    next: usize,
}

impl Split {
    /// Begins at a place in the bytes of a page, which end with [`PADDING`]; gives how many numbers there are.
    pub(super) fn begin_at(&mut self, bytes: &[u8], at: usize) -> Result<usize, Malformed> {
        let len = bytes.len().checked_sub(at + PADDING).ok_or("the end of a page")?;
        if !len.is_multiple_of(WIDTH) {
            return Err("streams of bytes of different lengths");
        }
        *self = Self {
            at,
            numbers: len / WIDTH,
            next: 0,
        };
        Ok(self.numbers)
    }

    /// Appends the next `count` numbers to `out`; floats as their bits.
    pub(super) fn read(&mut self, bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), Malformed> {
        let start = self.next;
        self.skip(count)?;
        out.reserve(count);
        for from in (start..self.next).step_by(GROUP) {
            let len = GROUP.min(self.next - from);
            // Lower and upper halves apart: twice as many fit a register, and of instants the upper are mostly the same.
            let mut halves = [[0u32; GROUP]; 2];
            let mut common = 0u64;
            for stream in 0..WIDTH {
                let at = self.at + stream * self.numbers + from;
                let bytes = bytes.get(at..at + len).ok_or("the end of a page")?;
                let first = bytes[0];
                if bytes.iter().fold(0, |others, byte| others | (byte ^ first)) == 0 {
                    common |= u64::from(first) << (8 * stream);
                    continue;
                }
                let shift = 8 * (stream % 4);
                for (half, byte) in halves[stream / 4].iter_mut().zip(bytes) {
                    *half |= u32::from(*byte) << shift;
                }
            }
            let [lower, upper] = &halves;
            let numbers = lower[..len].iter().zip(upper);
            let number = |(lower, upper): (&u32, &u32)| u64::from(*lower) | u64::from(*upper) << 32 | common;
            out.extend(numbers.map(|halves| number(halves).cast_signed()));
        }
        Ok(())
    }

    /// Passes over the next `count` numbers.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        match self.next.checked_add(count).filter(|next| *next <= self.numbers) {
            Some(next) => self.next = next,
            None => return Err("fewer numbers than rows"),
        }
        Ok(())
    }
}
