//! Puts right checksums around bytes, so that a decoder behind a checksum sees them. Written after `docs/format/`, not
//! with the encoders of the engine.

/// A log file with one frame: the first byte is its kind, the rest its payload.
pub(crate) fn log(bytes: &[u8]) -> Vec<u8> {
    let (kind, payload) = bytes
        .split_first()
        .map_or((0, bytes), |(kind, rest)| (*kind, rest));
    let mut file = header(b"BAROWAL\n", 1);
    file.extend(frame(kind, 1, payload));
    file
}

/// A manifest with these fields.
pub(crate) fn manifest(fields: &[u8]) -> Vec<u8> {
    let line = format!("barograph-manifest {FORMAT} crc32c=");
    let crc = crc32c::crc32c_append(crc32c::crc32c(line.as_bytes()), fields);
    [format!("{line}{crc:08x}\n").as_bytes(), fields].concat()
}

/// The format of manifests.
pub(crate) const FORMAT: u32 = 2;

fn header(magic: &[u8; 8], sequence: u64) -> Vec<u8> {
    let front = [&magic[..], &1u32.to_le_bytes()].concat();
    let back = sequence.to_le_bytes();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&front), &back);
    [&front[..], &crc.to_le_bytes(), &back].concat()
}

fn frame(kind: u8, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let front = [
        &[0xff, b'B', b'F', 0xfe][..],
        &(payload.len() as u32).to_le_bytes(),
    ]
    .concat();
    let back = [&[kind, 0, 0, 0][..], &sequence.to_le_bytes()].concat();
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(payload), &front), &back);
    [&front[..], &crc.to_le_bytes(), &back, payload].concat()
}
