//! `DELTA_BINARY_PACKED`: whole numbers as their steps, less the smallest step of a block, in as few bits as a
//! stretch of them needs.

use super::Malformed;
use crate::wal::varint;

/// Zeros that must follow the bytes of a page, so that numbers can be loaded eight bytes at a time.
pub(super) const PADDING: usize = 64;

/// Numbers of a stretch with one width that are taken at most; a writer's have 32 or 64.
const STRETCH_MAX: usize = 1 << 10;

/// Stretches of a block that are taken at most; a writer's have 4.
const STRETCHES_MAX: usize = 64;

/// Numbers unpacked at a time: they begin and end with a byte, whatever their width.
const GROUP: usize = 8;

/// Stands at a number of a page.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// the next byte
    at: usize,
    /// numbers not given, those in `decoded` included
    left: usize,
    last: i64,
    /// numbers of a stretch, of which there are `stretches` a block
    stretch: usize,
    stretches: usize,
    min_step: i64,
    /// of the block at hand: where the widths are and which comes next
    widths_at: usize,
    next_stretch: usize,
    /// numbers of a stretch that was begun, and which of them comes next
    decoded: Vec<i64>,
    next: usize,
}

impl Delta {
    /// Begins at a place in the bytes of a page, which end with [`PADDING`]; gives how many numbers there are.
    pub(super) fn begin_at(&mut self, bytes: &[u8], at: usize) -> Result<usize, Malformed> {
        self.at = at;
        let block = self.size(bytes)?;
        self.stretches = self.size(bytes)?;
        self.left = self.size(bytes)?;
        self.last = self.signed(bytes)?;
        if !(1..=STRETCHES_MAX).contains(&self.stretches) || !block.is_multiple_of(self.stretches) {
            return Err("a block that is not made of stretches");
        }
        self.stretch = block / self.stretches;
        if !(1..=STRETCH_MAX).contains(&self.stretch) || !self.stretch.is_multiple_of(32) {
            return Err("stretches of another length than 32, 64, ...");
        }
        self.next_stretch = self.stretches;
        self.decoded.clear();
        self.next = 0;
        if self.left > 0 {
            self.decoded.push(self.last);
        }
        Ok(self.left)
    }

    /// Appends the next `count` numbers to `out`.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        mut count: usize,
        out: &mut Vec<i64>,
    ) -> Result<(), Malformed> {
        self.count_off(count)?;
        out.reserve(count);
        while count > 0 {
            if self.next < self.decoded.len() {
                let end = self.decoded.len().min(self.next + count);
                out.extend_from_slice(&self.decoded[self.next..end]);
                count -= end - self.next;
                self.next = end;
            } else if count >= self.stretch {
                self.stretch(bytes, out)?;
                count -= self.stretch;
            } else {
                self.begin_stretch(bytes)?;
            }
        }
        Ok(())
    }

    /// Passes over the next `count` numbers.
    pub(super) fn skip(&mut self, bytes: &[u8], mut count: usize) -> Result<(), Malformed> {
        self.count_off(count)?;
        while count > 0 {
            if self.next < self.decoded.len() {
                let end = self.decoded.len().min(self.next + count);
                count -= end - self.next;
                self.next = end;
            } else if count >= self.stretch {
                let width = self.next_width(bytes)?;
                let packed = self.packed(bytes, width)?;
                let steps = if width == 0 {
                    0
                } else {
                    sum(packed, width, self.stretch)
                };
                let least = self.min_step.wrapping_mul(self.stretch as i64);
                self.last = self.last.wrapping_add(least).wrapping_add(steps as i64);
                count -= self.stretch;
            } else {
                self.begin_stretch(bytes)?;
            }
        }
        Ok(())
    }

    /// Sees to it that there are so many more.
    fn count_off(&mut self, count: usize) -> Result<(), Malformed> {
        self.left = self.left.checked_sub(count).ok_or("fewer numbers than rows")?;
        Ok(())
    }

    /// Decodes a stretch of which not all is wanted at once. At the end of a page it may hold more than there is.
    fn begin_stretch(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let result = self.stretch(bytes, &mut decoded);
        self.decoded = decoded;
        self.next = 0;
        result
    }

    /// Appends a whole stretch.
    fn stretch(&mut self, bytes: &[u8], out: &mut Vec<i64>) -> Result<(), Malformed> {
        let width = self.next_width(bytes)?;
        let packed = self.packed(bytes, width)?;
        let mut value = self.last;
        if width == 0 {
            out.extend((0..self.stretch).map(|_| {
                value = value.wrapping_add(self.min_step);
                value
            }));
        } else {
            unpack(packed, width, self.stretch, |steps| {
                let numbers = steps.map(|step| {
                    value = value.wrapping_add(self.min_step).wrapping_add(step as i64);
                    value
                });
                out.extend_from_slice(&numbers);
            });
        }
        self.last = value;
        Ok(())
    }

    /// The width of the next stretch.
    fn next_width(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        if self.next_stretch == self.stretches {
            self.min_step = self.signed(bytes)?;
            self.widths_at = self.at;
            self.at += self.stretches;
            self.next_stretch = 0;
        }
        let width = bytes.get(self.widths_at + self.next_stretch).copied();
        self.next_stretch += 1;
        match width {
            Some(width @ 0..=64) => Ok(usize::from(width)),
            Some(_) => Err("numbers of more than 64 bits"),
            None => Err("the end of a page of steps"),
        }
    }

    /// The bytes of the next stretch, and [`PADDING`].
    fn packed<'a>(&mut self, bytes: &'a [u8], width: usize) -> Result<&'a [u8], Malformed> {
        let len = self.stretch / 8 * width;
        let packed = bytes.get(self.at..self.at + len + PADDING);
        self.at += len;
        packed.ok_or("the end of a page of steps")
    }

    fn size(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        usize::try_from(self.number(bytes)?).map_err(|_| "a count of numbers that is too large")
    }

    fn signed(&mut self, bytes: &[u8]) -> Result<i64, Malformed> {
        self.number(bytes).map(varint::unzigzag)
    }

    fn number(&mut self, bytes: &[u8]) -> Result<u64, Malformed> {
        let mut rest = bytes.get(self.at..).unwrap_or_default();
        let number = varint::take(&mut rest).ok_or("the end of a page of steps")?;
        self.at = bytes.len() - rest.len();
        Ok(number)
    }
}

/// Adds up `count` numbers, a multiple of eight.
fn sum(packed: &[u8], width: usize, count: usize) -> u64 {
    let mut sums = [0u64; GROUP];
    unpack(packed, width, count, |steps| {
        for (sum, step) in sums.iter_mut().zip(steps) {
            *sum = sum.wrapping_add(step);
        }
    });
    sums.iter().fold(0, |all, sum| all.wrapping_add(*sum))
}

/// Calls `f` with eight numbers after the other. `packed` has [`PADDING`] at its end, `width` is 1 to 64.
fn unpack(packed: &[u8], width: usize, count: usize, f: impl FnMut([u64; GROUP])) {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                $($width => unpack_narrow::<$width>(packed, count, f),)*
                _ => unpack_wide(packed, width, count, f),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40);
}

/// Numbers that lie within eight bytes wherever they begin. The compiler makes one straight piece of code for each width.
#[inline(always)]
fn unpack_narrow<const WIDTH: usize>(packed: &[u8], count: usize, mut f: impl FnMut([u64; GROUP])) {
    const { assert!(WIDTH <= 57) };
    let mask = (1u64 << WIDTH) - 1;
    for group in 0..count / GROUP {
        let Some(bytes) = packed
            .get(group * WIDTH..)
            .and_then(<[u8]>::first_chunk::<PADDING>)
        else {
            return;
        };
        f(std::array::from_fn(|i| {
            let bit = i * WIDTH;
            let word: [u8; 8] = std::array::from_fn(|k| bytes[bit / 8 + k]);
            u64::from_le_bytes(word) >> (bit % 8) & mask
        }));
    }
}

fn unpack_wide(packed: &[u8], width: usize, count: usize, mut f: impl FnMut([u64; GROUP])) {
    let mask = u64::MAX >> (64 - width);
    for group in 0..count / GROUP {
        let Some(bytes) = packed
            .get(group * width..)
            .and_then(<[u8]>::first_chunk::<{ PADDING + 8 }>)
        else {
            return;
        };
        f(std::array::from_fn(|i| {
            let bit = i * width;
            let word: [u8; 16] = std::array::from_fn(|k| bytes[bit / 8 + k]);
            (u128::from_le_bytes(word) >> (bit % 8)) as u64 & mask
        }));
    }
}
