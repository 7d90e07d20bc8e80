//! Saved state: versioned, checksummed, the same bits after a round trip.
//!
//! ```text
//! "BGDT" | version u16 | detector name (u64 length, UTF-8) | payload (u64 length, bytes) | crc32c u32
//! ```
//! Integers and floats are little-endian; a float is its 64 bits, so that NaN payloads and -0.0 survive. The
//! checksum covers everything before it. A length is checked against the bytes that are left before memory is
//! taken for it.

use crate::error::DetectorError;

const MAGIC: &[u8; 4] = b"BGDT";

/// The version this program writes, and the latest it reads.
pub(crate) const VERSION: u16 = 1;

/// Wraps a payload for keeping.
pub(crate) fn seal(name: &str, payload: Writer) -> Vec<u8> {
    let mut writer = Writer {
        bytes: MAGIC.to_vec(),
    };
    writer.bytes.extend_from_slice(&VERSION.to_le_bytes());
    writer.text(name);
    writer.u64(payload.bytes.len() as u64);
    writer.bytes.extend_from_slice(&payload.bytes);
    let checksum = crc32c::crc32c(&writer.bytes);
    writer.bytes.extend_from_slice(&checksum.to_le_bytes());
    writer.bytes
}

/// Checks magic, version and checksum; gives the detector's name and a reader of its payload.
pub(crate) fn open(bytes: &[u8]) -> Result<(String, Reader<'_>), DetectorError> {
    if bytes.len() < MAGIC.len() + 2 + 4 || &bytes[..4] != MAGIC {
        return Err(corrupt(
            0,
            "the mark BGDT",
            &format!("{} other bytes", bytes.len()),
        ));
    }
    let version = u16::from_le_bytes([bytes[4], bytes[5]]);
    if version > VERSION || version == 0 {
        return Err(DetectorError::Version {
            found: version,
            supported: VERSION,
        });
    }
    let (body, tail) = bytes.split_at(bytes.len() - 4);
    let stored = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    let computed = crc32c::crc32c(body);
    if stored != computed {
        return Err(corrupt(
            body.len(),
            &format!("crc32c {computed:08x}"),
            &format!("{stored:08x}"),
        ));
    }
    let mut reader = Reader { bytes: body, at: 6 };
    let name = reader.text()?;
    let payload = reader.len(1)?;
    if payload != reader.left() {
        return Err(corrupt(
            reader.at,
            &format!("{payload} bytes of payload"),
            &format!("{}", reader.left()),
        ));
    }
    Ok((name, reader))
}

fn corrupt(offset: usize, expected: &str, found: &str) -> DetectorError {
    DetectorError::Corrupt {
        offset,
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// Appends values to a payload.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn usize(&mut self, value: usize) {
        self.u64(value as u64);
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    pub(crate) fn floats(&mut self, values: &[f64]) {
        self.usize(values.len());
        for value in values {
            self.f64(*value);
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.usize(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }
}

/// Takes values from a payload, in the order they were appended.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DetectorError> {
        let end = self.at + N;
        let slice = self
            .bytes
            .get(self.at..end)
            .and_then(|slice| <[u8; N]>::try_from(slice).ok());
        let taken =
            slice.ok_or_else(|| corrupt(self.at, &format!("{N} bytes"), &format!("{}", self.left())))?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DetectorError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, DetectorError> {
        Ok(i64::from_le_bytes(self.take()?))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, DetectorError> {
        Ok(f64::from_bits(self.u64()?))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, DetectorError> {
        match self.take::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(corrupt(self.at - 1, "0 or 1", &format!("{other}"))),
        }
    }

    /// A count of things that follow, each at least `unit` bytes long.
    pub(crate) fn len(&mut self, unit: usize) -> Result<usize, DetectorError> {
        let at = self.at;
        let count = self.u64()?;
        match usize::try_from(count) {
            Ok(count) if count.checked_mul(unit).is_some_and(|bytes| bytes <= self.left()) => Ok(count),
            _ => Err(corrupt(
                at,
                &format!("at most {} bytes to follow", self.left()),
                &format!("{count} entries"),
            )),
        }
    }

    /// A number that is no count of what follows, at most `max`.
    pub(crate) fn usize(&mut self, max: usize) -> Result<usize, DetectorError> {
        let at = self.at;
        let value = self.u64()?;
        match usize::try_from(value) {
            Ok(value) if value <= max => Ok(value),
            _ => Err(corrupt(at, &format!("at most {max}"), &format!("{value}"))),
        }
    }

    pub(crate) fn floats(&mut self) -> Result<Vec<f64>, DetectorError> {
        let count = self.len(8)?;
        (0..count).map(|_| self.f64()).collect()
    }

    /// Floats of a known count.
    pub(crate) fn floats_of(&mut self, count: usize) -> Result<Vec<f64>, DetectorError> {
        let at = self.at;
        let values = self.floats()?;
        if values.len() == count {
            Ok(values)
        } else {
            Err(corrupt(
                at,
                &format!("{count} numbers"),
                &format!("{}", values.len()),
            ))
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, DetectorError> {
        let at = self.at;
        let text = std::str::from_utf8(self.bytes()?);
        text.map(str::to_owned)
            .map_err(|error| corrupt(at, "UTF-8", &error.to_string()))
    }

    pub(crate) fn bytes(&mut self) -> Result<&[u8], DetectorError> {
        let count = self.len(1)?;
        let from = self.at;
        self.at += count;
        Ok(&self.bytes[from..self.at])
    }

    /// Checks that nothing is left over.
    pub(crate) fn finish(&self) -> Result<(), DetectorError> {
        if self.left() == 0 {
            Ok(())
        } else {
            Err(corrupt(self.at, "the end", &format!("{} bytes", self.left())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Vec<u8> {
        let mut writer = Writer::default();
        writer.f64(f64::from_bits(0x7ff8_0000_dead_beef));
        writer.floats(&[-0.0, 1.5]);
        writer.flag(true);
        writer.i64(i64::MIN);
        seal("seasonal", writer)
    }

    #[test]
    fn bits_survive() {
        let bytes = sealed();
        let (name, mut reader) = open(&bytes).expect("whole");
        assert_eq!(name, "seasonal");
        assert_eq!(reader.f64().expect("there").to_bits(), 0x7ff8_0000_dead_beef);
        let floats = reader.floats().expect("there");
        assert!(floats[0].is_sign_negative() && floats.len() == 2);
        assert!(reader.flag().expect("there"));
        assert_eq!(reader.i64().expect("there"), i64::MIN);
        reader.finish().expect("at the end");
    }

    #[test]
    fn every_single_damaged_byte_and_every_cut_is_refused() {
        let whole = sealed();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert!(open(&damaged).is_err(), "byte {at}");
            assert!(open(&whole[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_huge_length_takes_no_memory() {
        let mut writer = Writer::default();
        writer.u64(u64::MAX);
        let bytes = seal("x", writer);
        let (_, mut reader) = open(&bytes).expect("whole");
        assert!(reader.floats().is_err());
    }
}
