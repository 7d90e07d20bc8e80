//! The header of a page: a `PageHeader` of `parquet.thrift` in Thrift's compact protocol.

use parquet::basic::Encoding;

use super::Malformed;
use crate::wal::varint;

/// Structures in structures, which headers have two of.
const DEPTH_MAX: usize = 8;

const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;

/// Types of fields in the compact protocol.
mod field {
    pub(super) const STOP: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const I8: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const STRUCT: u8 = 12;
}

/// What is in front of the bytes of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Bytes of the header itself.
    pub(super) len: usize,
    /// Bytes of the page behind it, as they lie there.
    pub(super) compressed: usize,
    /// Bytes of the page when it is not compressed.
    pub(super) uncompressed: usize,
    /// Whether it holds the dictionary of the column.
    pub(super) is_dictionary: bool,
    /// Values of the page.
    pub(super) values: usize,
    pub(super) encoding: Encoding,
}

impl PageHeader {
    /// Reads the header that `bytes` begin with; of data pages those of version 1.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Compact(bytes);
        let mut sizes = [None; 4];
        let mut page = [None; 3];
        let mut is_dictionary = false;
        reader.fields(|reader, id, kind| match id {
            1..=3 => {
                sizes[usize::from(id.unsigned_abs())] = Some(reader.number(kind)?);
                Ok(())
            }
            5 | 7 if kind == field::STRUCT => {
                is_dictionary = id == 7;
                reader.fields(|reader, id, kind| match id {
                    1 | 2 => {
                        page[usize::from(id.unsigned_abs())] = Some(reader.number(kind)?);
                        Ok(())
                    }
                    _ => reader.skip(kind, DEPTH_MAX),
                })
            }
            _ => reader.skip(kind, DEPTH_MAX),
        })?;
        let expected = if is_dictionary { DICTIONARY_PAGE } else { DATA_PAGE };
        if sizes[1] != Some(expected) {
            return Err("a page of another kind");
        }
        let size = |value: Option<i64>| usize::try_from(value?).ok();
        let missing = "a page header without a size";
        Ok(Self {
            len: bytes.len() - reader.0.len(),
            uncompressed: size(sizes[2]).ok_or(missing)?,
            compressed: size(sizes[3]).ok_or(missing)?,
            is_dictionary,
            values: size(page[1]).ok_or(missing)?,
            encoding: match page[2] {
                Some(0) => Encoding::PLAIN,
                // PLAIN_DICTIONARY, which says the same in a data page.
                Some(2 | 8) => Encoding::RLE_DICTIONARY,
                Some(5) => Encoding::DELTA_BINARY_PACKED,
                Some(9) => Encoding::BYTE_STREAM_SPLIT,
                _ => return Err("an encoding that is not used here"),
            },
        })
    }
}

/// The bytes that were not read.
struct Compact<'a>(&'a [u8]);

impl Compact<'_> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.0.split_first().ok_or("the end of a page header")?;
        self.0 = rest;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        varint::take(&mut self.0).ok_or("the end of a page header")
    }

    fn number(&mut self, kind: u8) -> Result<i64, Malformed> {
        match kind {
            field::I8 => Ok(i64::from(self.byte()?)),
            field::I16..=field::I64 => self.varint().map(varint::unzigzag),
            _ => Err("a field of a page header that is no number"),
        }
    }

    /// Calls `f` with the id and the type of each field of a structure, up to its end; `f` reads the value.
    fn fields(
        &mut self,
        mut f: impl FnMut(&mut Self, i16, u8) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut id = 0i16;
        loop {
            let byte = self.byte()?;
            let kind = byte & 0x0f;
            if kind == field::STOP {
                return Ok(());
            }
            id = match byte >> 4 {
                0 => varint::unzigzag(self.varint()?) as i16,
                step => id.wrapping_add(i16::from(step)),
            };
            f(self, id, kind)?;
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), Malformed> {
        let depth = depth
            .checked_sub(1)
            .ok_or("a page header that is nested too deep")?;
        match kind {
            field::TRUE | field::FALSE => Ok(()),
            field::I8 => self.byte().map(drop),
            field::I16..=field::I64 => self.varint().map(drop),
            field::DOUBLE => self.pass(8),
            field::BINARY => {
                let len = self.varint()?;
                self.pass(len)
            }
            field::LIST | field::SET => {
                let byte = self.byte()?;
                let len = match byte >> 4 {
                    15 => self.varint()?,
                    len => u64::from(len),
                };
                for _ in 0..len {
                    // A boolean is a byte in a list, and nothing in a structure.
                    match byte & 0x0f {
                        field::TRUE | field::FALSE => self.pass(1)?,
                        kind => self.skip(kind, depth)?,
                    }
                }
                Ok(())
            }
            field::STRUCT => self.fields(|reader, _, kind| reader.skip(kind, depth)),
            _ => Err("a field of a page header of an unknown type"),
        }
    }

    fn pass(&mut self, len: u64) -> Result<(), Malformed> {
        let rest = usize::try_from(len).ok().and_then(|len| self.0.get(len..));
        self.0 = rest.ok_or("the end of a page header")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data page of 300 values in DELTA_BINARY_PACKED with statistics, an unknown list and a checksum.
    const HEADER: &[u8] = &[
        0x15, 0x00, // type
        0x15, 0x90, 0x03, // uncompressed: 200
        0x15, 0x14, // compressed: 10
        0x15, 0x02, // crc
        0x1c, // data page
        0x15, 0xd8, 0x04, // values: 300
        0x15, 0x0a, // encoding
        0x15, 0x06, 0x15, 0x06, // levels
        0x1c, 0x18, 0x01, 0xff, 0x00, // statistics: max
        0x00, // end of data page
        0x49, 0x22, 0x01, 0x02, // field 9: a list of two booleans
        0x00,
    ];

    #[test]
    fn what_is_known_is_read_and_the_rest_passed_over() {
        let header = PageHeader::read(HEADER).unwrap();
        let expected = PageHeader {
            len: HEADER.len(),
            compressed: 10,
            uncompressed: 200,
            is_dictionary: false,
            values: 300,
            encoding: Encoding::DELTA_BINARY_PACKED,
        };
        assert_eq!(header, expected);
    }

    #[test]
    fn no_part_of_a_header_is_one() {
        for len in 0..HEADER.len() {
            assert!(PageHeader::read(&HEADER[..len]).is_err(), "{len}");
        }
        // Lists in lists without end.
        let deep = [&[0x15, 0x00, 0x89][..], &[0x19; 100]].concat();
        assert_eq!(
            PageHeader::read(&deep),
            Err("a page header that is nested too deep")
        );
    }
}
