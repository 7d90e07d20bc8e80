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

/// The index of a segment. All checksums in it are put right, as far as its table says where they belong.
pub(crate) fn index(bytes: &[u8]) -> Vec<u8> {
    const TABLE: usize = 56;
    const SECTIONS: usize = 7;
    const ENTRY: usize = 24;
    let mut file = bytes.to_vec();
    let end = TABLE + SECTIONS * ENTRY;
    if file.len() < end {
        return file;
    }
    file[..8].copy_from_slice(b"BAROIDX\n");
    for entry in (TABLE..end).step_by(ENTRY) {
        let word = |at: usize| {
            file[at..at + 8]
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte))
        };
        let (offset, length) = (word(entry), word(entry + 8));
        let section = offset
            .checked_add(length)
            .and_then(|end| file.get(offset as usize..end as usize));
        if let Some(crc) = section.map(crc32c::crc32c) {
            file[entry + 16..entry + 20].copy_from_slice(&crc.to_le_bytes());
        }
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&file[..12]), &file[16..end]);
    file[12..16].copy_from_slice(&crc.to_le_bytes());
    file
}

/// The checkpoint of a journal, with this state.
pub(crate) fn checkpoint(state: &[u8]) -> Vec<u8> {
    let mut file = header(b"BAROCKP\n", 1);
    file.extend(frame(4, 1, state));
    file
}

/// The list of a backup, with this text.
pub(crate) fn backup(text: &[u8]) -> Vec<u8> {
    summed("barograph-backup 1 crc32c=", text)
}

/// A file of views, with this text.
pub(crate) fn views(text: &[u8]) -> Vec<u8> {
    summed("barograph-views 1 ", text)
}

/// A line that ends in the checksum of what follows it.
fn summed(line: &str, text: &[u8]) -> Vec<u8> {
    [format!("{line}{:08x}\n", crc32c::crc32c(text)).as_bytes(), text].concat()
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
