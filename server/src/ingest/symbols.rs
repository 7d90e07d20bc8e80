//! The symbols table of remote write 2.0: every text of a request once, named by its index.
//!
//! The table is a list of places in the body; no text is copied. A place keeps the text's length prefix too, because
//! `length, text` is just how remote write 1.0 writes a label's name or value: the label bytes that 1.0 would have sent
//! are put together from such pieces, and hash to the same fingerprint.

use super::protobuf::{Reader, WireError, WireType};

/// Where a symbol is in the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    /// Where its length begins.
    prefixed: u32,
    text: u32,
    end: u32,
}

/// The table of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols<'a> {
    pub(super) body: &'a [u8],
    pub(super) places: &'a [Symbol],
}

impl Symbol {
    /// Reads a symbol whose tag was just read.
    ///
    /// # Errors
    /// [`WireError`].
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let prefixed = reader.offset() as u32;
        let length = reader.bytes()?.len() as u32;
        let end = reader.offset() as u32;
        Ok(Self {
            prefixed,
            text: end - length,
            end,
        })
    }

    /// Whether this is the empty text.
    pub(super) fn is_empty(self) -> bool {
        self.text == self.end
    }
}

impl<'a> Symbols<'a> {
    /// The bytes of a symbol, `None` for an index that the table does not have.
    #[inline]
    pub(super) fn get(&self, index: u64) -> Option<&'a [u8]> {
        let place = self.place(index)?;
        Some(&self.body[place.text as usize..place.end as usize])
    }

    /// Appends a label as a field of `TimeSeries.labels` of remote write 1.0; `false`, and nothing appended, where the
    /// table has not both symbols.
    #[inline]
    pub(super) fn write_label(&self, name: u64, value: u64, out: &mut Vec<u8>) -> bool {
        let (Some(name), Some(value)) = (self.place(name), self.place(value)) else {
            return false;
        };
        let prefixed = |symbol: Symbol| &self.body[symbol.prefixed as usize..symbol.end as usize];
        let (name, value) = (prefixed(name), prefixed(value));
        out.push(0x0a);
        let mut length = name.len() + value.len() + 2;
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.push(0x0a);
        out.extend_from_slice(name);
        out.push(0x12);
        out.extend_from_slice(value);
        true
    }

    #[inline]
    fn place(&self, index: u64) -> Option<Symbol> {
        self.places.get(usize::try_from(index).ok()?).copied()
    }
}

/// The indices in field 1 of a message of remote write 2.0, `TimeSeries.labels_refs` or `Exemplar.labels_refs`, in the order
/// they stand there; other fields are passed over.
#[derive(Debug, Clone)]
pub(super) struct References<'a> {
    message: Reader<'a>,
    packed: Option<Reader<'a>>,
}

impl<'a> References<'a> {
    pub(super) fn of(message: Reader<'a>) -> Self {
        Self {
            message,
            packed: None,
        }
    }

    /// The next index.
    ///
    /// # Errors
    /// [`WireError`].
    pub(super) fn next(&mut self) -> Result<Option<u64>, WireError> {
        loop {
            if let Some(packed) = &mut self.packed {
                if packed.offset() < packed.end() {
                    return packed.varint().map(Some);
                }
                self.packed = None;
            }
            let Some(tag) = self.message.tag()? else {
                return Ok(None);
            };
            match (tag.field, tag.wire) {
                (1, WireType::Varint) => return self.message.varint().map(Some),
                (1, _) => {
                    tag.expect(WireType::Length, "labels_refs")?;
                    self.packed = Some(self.message.message()?);
                }
                _ => self.message.skip(tag)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::prompb::{TimeSeries, label};
    use super::*;

    #[test]
    fn a_label_is_written_as_1_0_has_it() {
        let long = "v".repeat(300);
        let mut body = vec![0x22, 0, 0x22, 4];
        body.extend_from_slice(b"name\x22\xac\x02");
        body.extend_from_slice(long.as_bytes());
        let (mut reader, mut places) = (Reader::new(&body), Vec::new());
        while reader.tag().unwrap().is_some() {
            places.push(Symbol::read(&mut reader).unwrap());
        }
        let symbols = Symbols {
            body: &body,
            places: &places,
        };
        assert_eq!(
            (symbols.get(0), symbols.get(1)),
            (Some(&b""[..]), Some(&b"name"[..]))
        );
        assert_eq!((symbols.get(3), symbols.get(u64::MAX)), (None, None));
        let mut out = Vec::new();
        assert!(symbols.write_label(1, 2, &mut out));
        assert!(!symbols.write_label(1, 3, &mut out));
        let expected = TimeSeries {
            labels: vec![label(b"name", long.as_bytes())],
            ..TimeSeries::default()
        };
        assert_eq!(out, expected.encode_to_vec());
        assert!(places[0].is_empty() && !places[2].is_empty());
    }

    #[test]
    fn references_come_packed_or_not_and_between_other_fields() {
        let body = [0x0a, 2, 1, 2, 0x10, 9, 0x08, 3, 0x0a, 0, 0x0a, 2, 0x80, 1];
        let mut references = References::of(Reader::new(&body));
        let mut found = Vec::new();
        while let Some(index) = references.next().unwrap() {
            found.push(index);
        }
        assert_eq!(found, [1, 2, 3, 128]);
        let mut wrong = References::of(Reader::new(&[0x09, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(wrong.next().is_err());
    }
}
