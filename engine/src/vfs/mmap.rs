//! Mapping of sealed files: the only unsafe code of the store.
//!
//! Invariant: only [`super::DiskVfs::read`] calls this, and what it hands out is a file that nobody writes to
//! or cuts any more; it may be removed or renamed meanwhile.

use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::Mmap;

/// The bytes of a sealed file, mapped. The map lives as long as the last clone or slice of the result.
///
/// # Errors
/// What the system says.
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new()); // an empty map is an error on some systems
    }
    // SAFETY: a map is sound as long as nobody changes or cuts the file under it. Files of a data directory
    // belong to the process that holds its lock, and within the process a file is read only after its writer
    // has sealed it: the contract of `Vfs::read`. Removing or renaming a mapped file leaves its pages in
    // place.
    #[allow(unsafe_code, reason = "the operating system offers no safe way to map a file")]
    let map = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
