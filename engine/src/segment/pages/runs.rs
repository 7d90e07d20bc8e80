//! The RLE/bit-packing hybrid: whole numbers of few bits, as runs of one number or packed by eight.

use super::Malformed;
use crate::wal::varint;

/// What is at hand.
#[derive(Debug, Clone, Copy)]
enum Chunk {
    Run(u32),
    /// packed numbers, and the bit at which the next one begins
    Packed(usize),
}

/// Reads numbers of `width` bits from a place in the bytes of a page.
#[derive(Debug)]
pub(super) struct Runs {
    at: usize,
    width: usize,
    chunk: Chunk,
    /// numbers of the chunk that were not given
    left: usize,
}

impl Runs {
    /// Begins at a place.
    pub(super) fn new(at: usize, width: usize) -> Result<Self, Malformed> {
        if width > 32 {
            return Err("numbers of more than 32 bits in runs");
        }
        Ok(Self {
            at,
            width,
            chunk: Chunk::Run(0),
            left: 0,
        })
    }

    /// The next number and how often it comes in a row, at most `max` times, which is not 0.
    pub(super) fn next(&mut self, bytes: &[u8], max: usize) -> Result<(u32, usize), Malformed> {
        while self.left == 0 {
            self.next_chunk(bytes)?;
        }
        match self.chunk {
            Chunk::Run(value) => {
                let count = self.left.min(max);
                self.left -= count;
                Ok((value, count))
            }
            Chunk::Packed(mut bit) => {
                let value = self.unpack(bytes, bit)?;
                let limit = self.left.min(max);
                let mut count = 0;
                while count < limit && self.unpack(bytes, bit)? == value {
                    count += 1;
                    bit += self.width;
                }
                self.chunk = Chunk::Packed(bit);
                self.left -= count;
                Ok((value, count))
            }
        }
    }

    /// Passes over so many numbers.
    pub(super) fn skip(&mut self, bytes: &[u8], mut count: usize) -> Result<(), Malformed> {
        while count > 0 {
            while self.left == 0 {
                self.next_chunk(bytes)?;
            }
            let now = self.left.min(count);
            if let Chunk::Packed(bit) = &mut self.chunk {
                *bit += now * self.width;
            }
            self.left -= now;
            count -= now;
        }
        Ok(())
    }

    fn next_chunk(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut rest = bytes.get(self.at..).unwrap_or_default();
        let head = varint::take(&mut rest).ok_or("the end of runs")?;
        self.at = bytes.len() - rest.len();
        let count = usize::try_from(head >> 1)
            .ok()
            .filter(|count| *count <= u32::MAX as usize);
        let count = count.ok_or("a run that is too long")?;
        if head & 1 == 0 {
            let value_len = self.width.div_ceil(8);
            let value = bytes.get(self.at..self.at + value_len).ok_or("the end of runs")?;
            self.chunk = Chunk::Run(little_endian(value) as u32);
            self.left = count;
            self.at += value_len;
        } else {
            self.chunk = Chunk::Packed(self.at * 8);
            self.left = count * 8;
            self.at += count * self.width;
        }
        Ok(())
    }

    fn unpack(&self, bytes: &[u8], bit: usize) -> Result<u32, Malformed> {
        let (first, end) = (bit / 8, (bit + self.width).div_ceil(8));
        let value = bytes.get(first..end).ok_or("the end of runs")?;
        let mask = (1u64 << self.width) - 1;
        Ok((little_endian(value) >> (bit % 8) & mask) as u32)
    }
}

/// At most eight bytes as a number.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], width: usize, count: usize) -> Result<Vec<u32>, Malformed> {
        let mut runs = Runs::new(0, width)?;
        let mut values = Vec::new();
        while values.len() < count {
            let (value, times) = runs.next(bytes, count - values.len())?;
            assert!(times > 0);
            values.resize(values.len() + times, value);
        }
        Ok(values)
    }

    #[test]
    fn runs_and_packed_numbers_follow_each_other() {
        // The example of the specification: 0 to 7 in three bits each; before it four times 5.
        let bytes = [4 << 1, 5, 1 << 1 | 1, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(all(&bytes, 3, 12), Ok(vec![5, 5, 5, 5, 0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(all(&bytes, 3, 13), Err("the end of runs"));
        for skipped in 0..12 {
            let mut runs = Runs::new(0, 3).unwrap();
            runs.skip(&bytes, skipped).unwrap();
            let next = [5, 5, 5, 5, 0, 1, 2, 3, 4, 5, 6, 7][skipped];
            assert_eq!(runs.next(&bytes, 1), Ok((next, 1)), "{skipped}");
        }
        assert_eq!(Runs::new(0, 3).unwrap().skip(&bytes, 13), Err("the end of runs"));
    }

    #[test]
    fn no_bits_are_zeros() {
        assert_eq!(all(&[200, 1], 0, 3), Ok(vec![0; 3]));
        assert_eq!(all(&[3], 0, 8), Ok(vec![0; 8]));
        assert!(Runs::new(0, 33).is_err());
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let endless = [0xff; 12];
        assert_eq!(all(&endless, 1, 3), Err("the end of runs"));
        let mut long = [0xff; 10];
        long[9] = 1;
        assert_eq!(all(&long, 1, 3), Err("a run that is too long"));
    }
}
