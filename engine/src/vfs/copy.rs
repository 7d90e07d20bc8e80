//! A copy of a file, for where a second name cannot be had.

use std::io;

use super::Vfs;

/// Bytes written at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Copies a file that is not written to any more, and syncs the copy. Its name needs [`Vfs::sync_dir`]. What a failure
/// leaves is removed again.
///
/// # Errors
/// What the system says; a name that is taken is [`io::ErrorKind::AlreadyExists`].
pub(super) fn copy(vfs: &dyn Vfs, from: &str, to: &str) -> io::Result<()> {
    let bytes = vfs.read(from)?;
    // `create` would empty what is there.
    if vfs.len(to).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{to:?} exists already"),
        ));
    }
    let mut file = vfs.create(to)?;
    let written = bytes
        .chunks(PIECE_BYTES)
        .try_for_each(|piece| file.append(piece))
        .and_then(|()| file.sync());
    if written.is_err() {
        // The error that matters is the first one.
        let _ = vfs.remove(to);
    }
    written
}
