//! Chunks of Prometheus: floats as differences of differences in time, and as XOR of neighbours in value.
//!
//! Source: Prometheus, `tsdb/docs/format/chunks.md` ("XOR chunk data"); Pelkonen et al., "Gorilla", VLDB 2015.
//!
//! ```text
//! samples: u16 big endian
//! ts_0: varint (zigzag)   v_0: 64 bits
//! ts_1 - ts_0: uvarint    v_1: XOR with v_0
//! then each: difference of the differences in time, in one of five widths; XOR with the value before
//! ```

/// Samples of a chunk, as Prometheus cuts them.
pub(super) const SAMPLES_MAX: usize = 120;

/// No window of significant bits yet.
const NO_WINDOW: u32 = u32::MAX;

/// Encodes samples, ascending in time; at most 65535.
pub(super) fn encode(ts: &[i64], values: &[f64]) -> Vec<u8> {
    let count = ts.len().min(values.len()).min(usize::from(u16::MAX));
    let mut bits = Bits::default();
    bits.bytes.extend((count as u16).to_be_bytes());
    let (mut delta, mut window) = (0u64, (NO_WINDOW, 0));
    for i in 0..count {
        let value = values[i].to_bits();
        if i == 0 {
            bits.push_varint(ts[0]);
            bits.push(value, 64);
            continue;
        }
        let new_delta = ts[i].wrapping_sub(ts[i - 1]) as u64;
        if i == 1 {
            bits.push_uvarint(new_delta);
        } else {
            push_time(&mut bits, new_delta.wrapping_sub(delta) as i64);
        }
        delta = new_delta;
        push_value(&mut bits, value ^ values[i - 1].to_bits(), &mut window);
    }
    bits.bytes
}

/// A difference of differences, in the least of the widths that it fits.
fn push_time(bits: &mut Bits, difference: i64) {
    let fits = |width: u32| {
        let half = 1i64 << (width - 1);
        -(half - 1) <= difference && difference <= half
    };
    let raw = difference as u64;
    match difference {
        0 => bits.push(0, 1),
        _ if fits(14) => {
            bits.push(0b10, 2);
            bits.push(raw, 14);
        }
        _ if fits(17) => {
            bits.push(0b110, 3);
            bits.push(raw, 17);
        }
        _ if fits(20) => {
            bits.push(0b1110, 4);
            bits.push(raw, 20);
        }
        _ => {
            bits.push(0b1111, 4);
            bits.push(raw, 64);
        }
    }
}

/// The XOR of two values. `window` is how many bits were zero before and behind the last one that was written whole.
fn push_value(bits: &mut Bits, xor: u64, window: &mut (u32, u32)) {
    if xor == 0 {
        bits.push(0, 1);
        return;
    }
    bits.push(1, 1);
    // Five bits hold the number of leading zeros.
    let (leading, trailing) = (xor.leading_zeros().min(31), xor.trailing_zeros());
    if window.0 != NO_WINDOW && leading >= window.0 && trailing >= window.1 {
        bits.push(0, 1);
        bits.push(xor >> window.1, 64 - window.0 - window.1);
        return;
    }
    *window = (leading, trailing);
    let significant = 64 - leading - trailing;
    bits.push(1, 1);
    bits.push(u64::from(leading), 5);
    // Six bits hold 64 as 0, which cannot be.
    bits.push(u64::from(significant), 6);
    bits.push(xor >> trailing, significant);
}

/// Bytes that are filled bit by bit, the most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// bits of the last byte that are free
    free: u32,
}

impl Bits {
    /// Appends the lowest bits of a number.
    fn push(&mut self, value: u64, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let take = count.min(self.free);
            let part = (value >> (count - take)) & ((1 << take) - 1);
            self.free -= take;
            count -= take;
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part as u8) << self.free;
            }
        }
    }

    fn push_uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.push(value, 8);
    }

    fn push_varint(&mut self, value: i64) {
        self.push_uvarint(((value << 1) ^ (value >> 63)) as u64);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads chunks back, from the description of the format.
    struct Reader<'a> {
        bytes: &'a [u8],
        at: usize,
    }

    impl Reader<'_> {
        fn bits(&mut self, count: u32) -> u64 {
            let mut value = 0;
            for _ in 0..count {
                let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
                value = value << 1 | u64::from(bit);
                self.at += 1;
            }
            value
        }

        fn uvarint(&mut self) -> u64 {
            let (mut value, mut shift) = (0, 0);
            loop {
                let byte = self.bits(8);
                value |= (byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    return value;
                }
            }
        }

        fn signed(&mut self, width: u32) -> i64 {
            let raw = self.bits(width) as i64;
            if width < 64 && raw > 1 << (width - 1) {
                raw - (1 << width)
            } else {
                raw
            }
        }

        fn samples(&mut self) -> Vec<(i64, u64)> {
            let count = self.bits(16);
            let mut found: Vec<(i64, u64)> = Vec::new();
            let (mut delta, mut window) = (0i64, (0, 0));
            for i in 0..count {
                if i == 0 {
                    let raw = self.uvarint();
                    found.push(((raw >> 1) as i64 ^ -((raw & 1) as i64), self.bits(64)));
                    continue;
                }
                let (ts, value) = found[found.len() - 1];
                if i == 1 {
                    delta = self.uvarint() as i64;
                } else {
                    let mut ones = 0;
                    while ones < 4 && self.bits(1) == 1 {
                        ones += 1;
                    }
                    let width = [0, 14, 17, 20, 64][ones];
                    delta = delta.wrapping_add(if width == 0 { 0 } else { self.signed(width) });
                }
                let mut next = value;
                if self.bits(1) == 1 {
                    if self.bits(1) == 1 {
                        let leading = self.bits(5) as u32;
                        let significant = match self.bits(6) as u32 {
                            0 => 64,
                            count => count,
                        };
                        window = (leading, 64 - leading - significant);
                    }
                    next ^= self.bits(64 - window.0 - window.1) << window.1;
                }
                found.push((ts.wrapping_add(delta), next));
            }
            found
        }
    }

    #[test]
    fn a_chunk_has_the_bytes_of_prometheus() {
        // The first two are whole bytes: the count, the instant, the value, the difference; then a bit for an equal value.
        let chunk = encode(&[1000, 16_000, 31_000], &[1.0, 1.0, 1.0]);
        let expected = [0, 3, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x98, 0x75, 0];
        assert_eq!(chunk, expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            start in any::<i32>(),
            steps in proptest::collection::vec(prop_oneof![Just(15_000i64), 1i64..100_000, 1i64..1 << 40], 0..150),
            raw in proptest::collection::vec(prop_oneof![
                any::<u64>(), (0u32..50).prop_map(|n| f64::from(n).to_bits()), Just(f64::NAN.to_bits()),
            ], 150),
        ) {
            let mut ts = vec![i64::from(start)];
            steps.iter().for_each(|step| ts.push(ts[ts.len() - 1] + step));
            let values: Vec<f64> = raw.iter().map(|bits| f64::from_bits(*bits)).collect();
            let chunk = encode(&ts, &values);
            let found = Reader { bytes: &chunk, at: 0 }.samples();
            let count = ts.len().min(values.len());
            let expected: Vec<(i64, u64)> = ts.into_iter().zip(raw).take(count).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
