//! Changes of bytes that follow from a number.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers at which decoders err: lengths and counts that are nearly right, or far too large.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    u16::MAX as u64,
    i32::MAX as u64,
    u32::MAX as u64,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// The longest that bytes may grow.
const BYTES_MAX: usize = 1 << 16;

/// The bytes of mutation `number` over some seeds: one of them, changed in one to eight places. The same number over
/// the same seeds gives the same bytes.
#[must_use]
pub fn mutation(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let mut bytes = match seeds.len() {
        0 => Vec::new(),
        len => seeds[random.random_range(0..len)].clone(),
    };
    let other = match seeds.len() {
        0 => &[][..],
        len => &seeds[random.random_range(0..len)],
    };
    for _ in 0..random.random_range(1..=8) {
        change(&mut bytes, other, &mut random);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut ChaCha8Rng) {
    let at = random.random_range(0..=bytes.len());
    let end = (at + random.random_range(1..=16)).min(bytes.len());
    match random.random_range(0..9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = random.random(),
        2 => bytes.insert(at, random.random()),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        5 => bytes.truncate(at),
        6 => {
            // A number over what is there, in one of the ways in which numbers are written.
            let edge = EDGES[random.random_range(0..EDGES.len())];
            let width = [1, 2, 4, 8][random.random_range(0..4)];
            let written = match random.random_range(0..3) {
                0 => edge.to_le_bytes()[..width].to_vec(),
                1 => edge.to_be_bytes()[8 - width..].to_vec(),
                _ => varint(edge),
            };
            let end = (at + written.len()).min(bytes.len());
            bytes.splice(at..end, written);
        }
        7 if !other.is_empty() => {
            let from = random.random_range(0..other.len());
            let to = (from + random.random_range(1..=256)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            // The order of two parts.
            bytes.rotate_left(at);
        }
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
