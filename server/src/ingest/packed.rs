//! Repeated numbers: packed into one field, as senders write them, or a field each, which protobuf allows as well.

use super::protobuf::{Reader, Tag, WireError, WireType};

impl Reader<'_> {
    /// Calls `each` with the integers of a repeated field whose tag was just read, `name` as in `TimeSeries.labels_refs`.
    ///
    /// # Errors
    /// [`WireError`] for another wire type and for what ends early, and whatever `each` gives.
    #[inline]
    pub(super) fn varints<E: From<WireError>>(
        &mut self,
        tag: Tag,
        name: &'static str,
        mut each: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        if tag.wire == WireType::Varint {
            return each(self.varint()?);
        }
        tag.expect(WireType::Length, name)?;
        let mut packed = self.message()?;
        while packed.offset() < packed.end() {
            each(packed.varint()?)?;
        }
        Ok(())
    }

    /// Calls `each` with the doubles of a repeated field whose tag was just read.
    ///
    /// # Errors
    /// As [`Reader::varints`].
    #[inline]
    pub(super) fn doubles<E: From<WireError>>(
        &mut self,
        tag: Tag,
        name: &'static str,
        mut each: impl FnMut(f64) -> Result<(), E>,
    ) -> Result<(), E> {
        if tag.wire == WireType::Fixed64 {
            return each(f64::from_bits(self.fixed64()?));
        }
        tag.expect(WireType::Length, name)?;
        let mut packed = self.message()?;
        while packed.offset() < packed.end() {
            each(f64::from_bits(packed.fixed64()?))?;
        }
        Ok(())
    }
}

/// The number that a `sint32` or `sint64` field holds.
#[inline]
pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varints(body: &[u8]) -> Result<Vec<u64>, WireError> {
        let mut numbers = Vec::new();
        let mut reader = Reader::new(body);
        while let Some(tag) = reader.tag()? {
            reader.varints(tag, "M.numbers", |number| {
                numbers.push(number);
                Ok::<_, WireError>(())
            })?;
        }
        Ok(numbers)
    }

    #[test]
    fn packed_and_not_may_alternate() {
        let body = [0x08, 1, 0x0a, 3, 2, 0x80, 1, 0x08, 3, 0x0a, 0];
        assert_eq!(varints(&body), Ok(vec![1, 2, 128, 3]));
        // The last number of a packed field reaches beyond the field.
        let cut = varints(&[0x0a, 1, 0x80, 1]);
        assert_eq!(
            cut,
            Err(WireError::Truncated {
                offset: 2,
                missing: 1
            })
        );
        let error = varints(&[0x0d, 0, 0, 0, 0]).unwrap_err().to_string();
        assert_eq!(
            error,
            "byte 0: M.numbers has wire type 5 (fixed32), expected 2 (length-delimited)"
        );
    }

    #[test]
    fn doubles_keep_their_bits() {
        let bits = [1.5f64.to_bits(), barograph_model::STALE_NAN_BITS];
        let mut body = vec![0x0a, 16];
        body.extend(bits.iter().flat_map(|bits| bits.to_le_bytes()));
        body.push(0x09);
        body.extend(7.0f64.to_bits().to_le_bytes());
        let (mut reader, mut numbers) = (Reader::new(&body), Vec::new());
        while let Some(tag) = reader.tag().unwrap() {
            let each = |number: f64| {
                numbers.push(number.to_bits());
                Ok::<_, WireError>(())
            };
            reader.doubles(tag, "M.numbers", each).unwrap();
        }
        assert_eq!(numbers, [bits[0], bits[1], 7.0f64.to_bits()]);
        let mut short = Reader::new(&body[..9]);
        let tag = short.tag().unwrap().unwrap();
        assert!(
            short
                .doubles(tag, "M.numbers", |_| Ok::<_, WireError>(()))
                .is_err()
        );
    }

    #[test]
    fn zigzag_numbers_come_back() {
        for (number, expected) in [
            (0, 0),
            (1, -1),
            (2, 1),
            (u64::MAX, i64::MIN),
            (u64::MAX - 1, i64::MAX),
        ] {
            assert_eq!(unzigzag(number), expected);
        }
    }
}
