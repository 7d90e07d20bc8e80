//! A reader of the protobuf wire format that borrows and never allocates.
//!
//! A message is a run of fields, each a varint tag (`field number << 3 | wire type`) and a payload:
//!
//! ```text
//! wire type 0  varint             7 bits a byte, least significant first, at most 10 bytes
//!           1  fixed64            8 bytes, little endian
//!           2  length-delimited   varint length, then that many bytes: text, bytes, or a message
//!           3  4                  groups, long deprecated: refused
//!           5  fixed32            4 bytes, little endian
//! ```
//!
//! Invariants:
//! - a [`Reader`] over a nested message keeps the outer buffer, so every error names the byte of the whole body;
//! - no length is believed before it is compared with the bytes that are there;
//! - an unknown field is skipped, a known field with another wire type is an error: guessing would lose data.

use std::fmt;

use thiserror::Error;

/// How a field's payload is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireType {
    /// An integer of 1 to 10 bytes.
    Varint,
    /// Eight bytes.
    Fixed64,
    /// A length and that many bytes.
    Length,
    /// Four bytes.
    Fixed32,
}

impl fmt::Display for WireType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Varint => "0 (varint)",
            Self::Fixed64 => "1 (fixed64)",
            Self::Length => "2 (length-delimited)",
            Self::Fixed32 => "5 (fixed32)",
        })
    }
}

/// Why bytes are not a protobuf message. Every variant says at which byte of the body, counting from 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// The body ends inside a field.
    #[error("byte {offset}: the message ends inside a field ({missing} bytes are missing)")]
    Truncated {
        /// Where the payload begins.
        offset: usize,
        /// How many bytes more there should be; at least this many.
        missing: u64,
    },
    /// An integer that does not end within ten bytes, or does not fit 64 bits.
    #[error("byte {offset}: a varint is longer than 64 bits")]
    VarintOverflow {
        /// Where it begins.
        offset: usize,
    },
    /// Field number 0, or one above the 29 bits that the format allows.
    #[error("byte {offset}: {number} is not a field number")]
    FieldNumber {
        /// Where the tag begins.
        offset: usize,
        /// What it says.
        number: u64,
    },
    /// Wire type 3, 4 (groups), 6 or 7 (never defined).
    #[error(
        "byte {offset}: field {field} has wire type {wire_type}, a group or undefined, which is not accepted"
    )]
    Unsupported {
        /// Where the tag begins.
        offset: usize,
        /// Of which field.
        field: u32,
        /// The three bits.
        wire_type: u8,
    },
    /// A field of this message is laid out as something else.
    #[error("byte {offset}: {field} has wire type {found}, expected {expected}")]
    WrongWireType {
        /// Where the tag begins.
        offset: usize,
        /// Message and field as the .proto names them.
        field: &'static str,
        /// What the .proto says.
        expected: WireType,
        /// What is there.
        found: WireType,
    },
    /// A field that belongs to another message, so that this body is not what its headers say.
    #[error("byte {offset}: field {field} is not part of {message} ({hint})")]
    ForeignField {
        /// Where the tag begins.
        offset: usize,
        /// The number.
        field: u32,
        /// The message that the headers announce.
        message: &'static str,
        /// What it probably is and what to do.
        hint: &'static str,
    },
}

/// The tag of a field whose payload has not been read yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag {
    /// The field's number, from 1.
    pub(super) field: u32,
    /// How the payload is laid out.
    pub(super) wire: WireType,
    /// Where the tag begins.
    pub(super) offset: usize,
}

impl Tag {
    /// Checks the layout of a known field, `name` as in `Sample.value`.
    ///
    /// # Errors
    /// [`WireError::WrongWireType`].
    #[inline]
    pub(super) fn expect(self, expected: WireType, name: &'static str) -> Result<(), WireError> {
        if self.wire == expected {
            return Ok(());
        }
        Err(WireError::WrongWireType {
            offset: self.offset,
            field: name,
            expected,
            found: self.wire,
        })
    }
}

/// A cursor over one message.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    /// The body from its first byte to the end of this message.
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the message that fills `body`.
    #[must_use]
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { bytes: body, at: 0 }
    }

    /// A reader of the message at `start..end` of `body`; both must lie inside.
    #[must_use]
    pub(super) fn within(body: &'a [u8], start: usize, end: usize) -> Self {
        debug_assert!(
            start <= end && end <= body.len(),
            "a message lies inside its body"
        );
        Self {
            bytes: &body[..end],
            at: start,
        }
    }

    /// Where the next byte is, in the whole body.
    #[must_use]
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Where this message ends, in the whole body.
    #[must_use]
    pub(super) fn end(&self) -> usize {
        self.bytes.len()
    }

    /// The tag of the next field, `None` at the end of the message.
    ///
    /// # Errors
    /// [`WireError`] for what is not a tag, and for groups.
    #[inline]
    pub(super) fn tag(&mut self) -> Result<Option<Tag>, WireError> {
        let offset = self.at;
        let Some(&first) = self.bytes.get(offset) else {
            return Ok(None);
        };
        let number = if first < 0x80 {
            self.at += 1;
            u64::from(first)
        } else {
            self.long_varint()?
        };
        let field = match u32::try_from(number >> 3) {
            Ok(field) if field != 0 && field < 1 << 29 => field,
            _ => {
                return Err(WireError::FieldNumber {
                    offset,
                    number: number >> 3,
                });
            }
        };
        let wire = match number & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Length,
            5 => WireType::Fixed32,
            other => {
                return Err(WireError::Unsupported {
                    offset,
                    field,
                    wire_type: other as u8,
                });
            }
        };
        Ok(Some(Tag { field, wire, offset }))
    }

    /// An integer.
    ///
    /// # Errors
    /// [`WireError::Truncated`] and [`WireError::VarintOverflow`].
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        match self.bytes.get(self.at) {
            Some(&first) if first < 0x80 => {
                self.at += 1;
                Ok(u64::from(first))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let offset = self.at;
        let mut value = 0u64;
        for (i, &byte) in self.bytes[offset..].iter().take(10).enumerate() {
            // The tenth byte has room for one bit only.
            if i == 9 && byte > 1 {
                return Err(WireError::VarintOverflow { offset });
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.at = offset + i + 1;
                return Ok(value);
            }
        }
        Err(WireError::Truncated { offset, missing: 1 })
    }

    /// Eight bytes, as they are.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub(super) fn fixed64(&mut self) -> Result<u64, WireError> {
        match self.bytes[self.at..].first_chunk::<8>() {
            Some(chunk) => {
                self.at += 8;
                Ok(u64::from_le_bytes(*chunk))
            }
            None => Err(self.truncated(8)),
        }
    }

    /// The payload of a length-delimited field.
    ///
    /// # Errors
    /// [`WireError::Truncated`] and [`WireError::VarintOverflow`].
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.varint()?;
        let left = self.bytes.len() - self.at;
        if len > left as u64 {
            return Err(self.truncated(len));
        }
        let start = self.at;
        self.at += len as usize;
        Ok(&self.bytes[start..self.at])
    }

    /// The payload of a length-delimited field, as a message.
    ///
    /// # Errors
    /// As [`Reader::bytes`].
    #[inline]
    pub(super) fn message(&mut self) -> Result<Reader<'a>, WireError> {
        let payload = self.bytes()?;
        Ok(Reader {
            bytes: &self.bytes[..self.at],
            at: self.at - payload.len(),
        })
    }

    /// Passes over the payload of a field that nobody here knows.
    ///
    /// # Errors
    /// [`WireError::Truncated`] and [`WireError::VarintOverflow`].
    pub(super) fn skip(&mut self, tag: Tag) -> Result<(), WireError> {
        match tag.wire {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Length => self.bytes().map(drop),
            WireType::Fixed32 => {
                if self.bytes.len() - self.at < 4 {
                    return Err(self.truncated(4));
                }
                self.at += 4;
                Ok(())
            }
        }
    }

    #[cold]
    fn truncated(&self, wanted: u64) -> WireError {
        WireError::Truncated {
            offset: self.at,
            missing: wanted - (self.bytes.len() - self.at) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_each_layout() {
        let body = [
            0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 9, 9, 9, 9,
        ];
        let mut reader = Reader::new(&body);
        let tag = reader.tag().unwrap().unwrap();
        assert_eq!(
            (tag.field, tag.wire, reader.varint().unwrap()),
            (1, WireType::Varint, 150)
        );
        let tag = reader.tag().unwrap().unwrap();
        assert_eq!(
            (tag.field, tag.wire, reader.fixed64().unwrap()),
            (2, WireType::Fixed64, 1)
        );
        let tag = reader.tag().unwrap().unwrap();
        assert_eq!(
            (tag.field, tag.wire, reader.bytes().unwrap()),
            (3, WireType::Length, &b"hi"[..])
        );
        let tag = reader.tag().unwrap().unwrap();
        reader.skip(tag).unwrap();
        assert!(reader.tag().unwrap().is_none());
    }

    #[test]
    fn a_nested_message_keeps_the_offsets_of_the_body() {
        let body = [0x0a, 3, 0x08, 0x01, 0x13];
        let mut outer = Reader::new(&body);
        outer.tag().unwrap().unwrap();
        let mut inner = outer.message().unwrap();
        assert_eq!((inner.offset(), inner.end()), (2, 5));
        inner.tag().unwrap().unwrap();
        inner.varint().unwrap();
        let group = inner.tag().unwrap_err();
        assert_eq!(
            group,
            WireError::Unsupported {
                offset: 4,
                field: 2,
                wire_type: 3
            }
        );
    }

    #[test]
    fn names_what_is_wrong_and_where() {
        let overlong = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        let mut reader = Reader::new(&overlong);
        reader.tag().unwrap();
        assert_eq!(reader.varint(), Err(WireError::VarintOverflow { offset: 1 }));

        let mut reader = Reader::new(&[0x0a, 0x7f, 0x00]);
        reader.tag().unwrap();
        assert_eq!(
            reader.bytes(),
            Err(WireError::Truncated {
                offset: 2,
                missing: 126
            })
        );

        assert_eq!(
            Reader::new(&[0x80]).varint(),
            Err(WireError::Truncated {
                offset: 0,
                missing: 1
            })
        );
        let zero = Reader::new(&[0x00]).tag().unwrap_err();
        assert_eq!(zero, WireError::FieldNumber { offset: 0, number: 0 });
        let huge = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
            .tag()
            .unwrap_err();
        assert!(matches!(huge, WireError::FieldNumber { .. }), "{huge}");
        let tag = Reader::new(&[0x08]).tag().unwrap().unwrap();
        let wrong = tag.expect(WireType::Fixed64, "Sample.value").unwrap_err();
        let text = "byte 0: Sample.value has wire type 0 (varint), expected 1 (fixed64)";
        assert_eq!(wrong.to_string(), text);
    }

    proptest! {
        #[test]
        fn varints_agree_with_prost(value: u64) {
            let mut body = Vec::new();
            prost::encoding::encode_varint(value, &mut body);
            let mut reader = Reader::new(&body);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.offset(), body.len());
        }

        #[test]
        fn any_bytes_end_or_fail(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&body);
            while let Ok(Some(tag)) = reader.tag() {
                let before = reader.offset();
                if reader.skip(tag).is_err() {
                    break;
                }
                prop_assert!(reader.offset() > before || tag.wire == WireType::Length);
                prop_assert!(reader.offset() <= body.len());
            }
        }
    }
}
