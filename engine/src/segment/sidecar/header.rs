//! The fixed bytes in front of a sidecar.

/// What one checksum of a Parquet file covers.
pub(in crate::segment) const BLOCK_BYTES: usize = 1 << 18;

/// Bytes in front of the first section.
pub(super) const HEADER_BYTES: usize = 56 + SECTIONS * 24;

/// The sections in their order.
pub(super) const SECTIONS: usize = 7;
pub(super) const IDS: usize = 0;
pub(super) const ROWS: usize = 1;
pub(super) const GROUPS: usize = 2;
pub(super) const STARTS: usize = 3;
pub(super) const LABELS: usize = 4;
pub(super) const POSTINGS: usize = 5;
pub(super) const BLOCKS: usize = 6;

const MAGIC: [u8; 8] = *b"BAROIDX\n";
/// The version that is written; all from 1 on are read.
pub(super) const VERSION: u32 = 2;

/// Where a section lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) crc32c: u32,
}

/// What the first bytes say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) series: u64,
    pub(super) rows: u64,
    pub(super) samples_bytes: u64,
    pub(super) samples_crc32c: u32,
    pub(super) series_crc32c: u32,
    pub(super) series_bytes: u64,
    pub(super) sections: [Section; SECTIONS],
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&self.version.to_le_bytes());
        out[16..24].copy_from_slice(&self.series.to_le_bytes());
        out[24..32].copy_from_slice(&self.rows.to_le_bytes());
        out[32..40].copy_from_slice(&self.samples_bytes.to_le_bytes());
        out[40..44].copy_from_slice(&self.samples_crc32c.to_le_bytes());
        out[44..48].copy_from_slice(&self.series_crc32c.to_le_bytes());
        out[48..56].copy_from_slice(&self.series_bytes.to_le_bytes());
        for (i, section) in self.sections.iter().enumerate() {
            let at = 56 + i * 24;
            out[at..at + 8].copy_from_slice(&section.offset.to_le_bytes());
            out[at + 8..at + 16].copy_from_slice(&section.length.to_le_bytes());
            out[at + 16..at + 20].copy_from_slice(&section.crc32c.to_le_bytes());
        }
        let crc = checksum(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header; gives what was expected and what was found where it is none, or a section lies outside the
    /// file.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, (String, String)> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err((
                format!("a header of {HEADER_BYTES} bytes"),
                format!("{} bytes", bytes.len()),
            ));
        };
        let wide = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let narrow =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if header[..8] != MAGIC {
            return Err(("the magic BAROIDX".to_owned(), "other bytes".to_owned()));
        }
        if narrow(12) != checksum(header) {
            return Err((
                format!("CRC-32C {:08x}", narrow(12)),
                format!("{:08x}", checksum(header)),
            ));
        }
        if !(1..=VERSION).contains(&narrow(8)) {
            return Err((
                format!("a version up to {VERSION}"),
                format!("version {}", narrow(8)),
            ));
        }
        let mut sections = [Section::default(); SECTIONS];
        for (i, section) in sections.iter_mut().enumerate() {
            let at = 56 + i * 24;
            *section = Section {
                offset: wide(at),
                length: wide(at + 8),
                crc32c: narrow(at + 16),
            };
            let end = section.offset.checked_add(section.length);
            if end.is_none_or(|end| end > bytes.len() as u64) {
                return Err((
                    format!("section {i} inside {} bytes", bytes.len()),
                    format!("{section:?}"),
                ));
            }
        }
        Ok(Self {
            version: narrow(8),
            series: wide(16),
            rows: wide(24),
            samples_bytes: wide(32),
            samples_crc32c: narrow(40),
            series_crc32c: narrow(44),
            series_bytes: wide(48),
            sections,
        })
    }
}

/// Runs over everything but itself.
fn checksum(header: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..])
}
