//! Whole numbers in as few bytes as they need: LEB128, with zigzag for signed ones.

/// The most bytes a number takes.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// Appends an unsigned number.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes an unsigned number from the front; `None` when it is cut off or longer than 64 bits.
#[inline]
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        *bytes = rest;
        return Some(u64::from(first));
    }
    let mut value = u64::from(first & 0x7f);
    for (i, &byte) in rest.iter().take(VARINT_BYTES_MAX - 1).enumerate() {
        let shift = 7 * (i as u32 + 1);
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            *bytes = &rest[i + 1..];
            return Some(value);
        }
    }
    None
}

/// Maps numbers near zero, of either sign, to small ones.
#[inline]
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends each number's distance from the one before it (the first one's from 0).
pub(super) fn put_deltas(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = i64>) {
    let mut before = 0i64;
    for value in values {
        put(out, zigzag(value.wrapping_sub(before)));
        before = value;
    }
}

/// The inverse of [`put_deltas`]; `None` unless the bytes hold exactly `count` numbers. The caller has
/// bounded `count` by the length of the bytes.
pub(super) fn take_deltas<T>(mut bytes: &[u8], count: usize, make: impl Fn(i64) -> T) -> Option<Vec<T>> {
    let mut values = Vec::with_capacity(count);
    let mut before = 0i64;
    for _ in 0..count {
        before = before.wrapping_add(unzigzag(take(&mut bytes)?));
        values.push(make(before));
    }
    bytes.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn deltas_come_back(values in proptest::collection::vec(any::<i64>(), 0..50)) {
            let mut bytes = Vec::new();
            put_deltas(&mut bytes, values.iter().copied());
            prop_assert_eq!(take_deltas(&bytes, values.len(), |v| v), Some(values.clone()));
            prop_assert_eq!(take_deltas(&bytes, values.len() + 1, |v| v), None);
        }

        #[test]
        fn any_bytes_are_a_number_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut rest = &bytes[..];
            if let Some(value) = take(&mut rest) {
                let mut again = Vec::new();
                put(&mut again, value);
                prop_assert!(again.len() <= bytes.len() - rest.len());
            }
        }
    }

    #[test]
    fn overlong_numbers_are_refused() {
        assert_eq!(take(&mut &[0xff; 12][..]), None);
        assert_eq!(take(&mut &[0x80][..]), None);
        let mut most = vec![0xff; 9];
        most.push(1);
        assert_eq!(take(&mut &most[..]), Some(u64::MAX));
        most[9] = 2;
        assert_eq!(take(&mut &most[..]), None);
    }
}
