//! The folder for damaged files: nothing of them is used any more, and nothing of them is thrown away.

use std::io;

use crate::vfs::Vfs;

/// Where damaged files are put, for a person to look at.
pub(crate) const QUARANTINE: &str = "quarantine";

/// Moves a file there, durably, under a name that no file there has yet; gives its new path. A folder in its path
/// becomes part of the name, since two folders may have files of the same name.
///
/// # Errors
/// What the system says; [`io::ErrorKind::NotFound`] where there is no such file.
pub(crate) fn set_aside(vfs: &dyn Vfs, path: &str) -> io::Result<String> {
    let aside = free_path(vfs, path)?;
    vfs.rename(path, &aside)?;
    vfs.sync_dir(QUARANTINE)?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    vfs.sync_dir(folder)?;
    Ok(aside)
}

/// As [`set_aside`], but leaves the file where it is as well.
pub(crate) fn copy_aside(vfs: &dyn Vfs, path: &str) -> io::Result<String> {
    let aside = free_path(vfs, path)?;
    let bytes = vfs.read(path)?;
    let mut file = vfs.create(&aside)?;
    file.append(&bytes)?;
    file.sync()?;
    vfs.sync_dir(QUARANTINE)?;
    Ok(aside)
}

/// A path in quarantine for a file, which no file has yet.
fn free_path(vfs: &dyn Vfs, path: &str) -> io::Result<String> {
    vfs.create_dir_all(QUARANTINE)?;
    let taken = vfs.list(QUARANTINE)?;
    let name = path.replace('/', "-");
    // One of one name more than there are is free.
    let numbered = (2..taken.len() + 3).map(|i| format!("{name}.{i}"));
    let mut candidates = std::iter::once(name.clone()).chain(numbered);
    let free = candidates.find(|candidate| !taken.contains(candidate));
    Ok(format!("{QUARANTINE}/{}", free.unwrap_or(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::SimVfs;

    #[test]
    fn nothing_in_quarantine_is_overwritten() {
        let vfs = SimVfs::new(1);
        vfs.create_dir_all("wal").unwrap();
        let put = |byte: u8| vfs.create("wal/1").unwrap().append(&[byte]).unwrap();
        for (byte, expected) in [(1, "wal-1"), (2, "wal-1.2"), (3, "wal-1.3")] {
            put(byte);
            assert_eq!(
                set_aside(&vfs, "wal/1").unwrap(),
                format!("quarantine/{expected}")
            );
        }
        for (byte, name) in [(1, "wal-1"), (2, "wal-1.2"), (3, "wal-1.3")] {
            assert_eq!(&vfs.read(&format!("quarantine/{name}")).unwrap()[..], [byte]);
        }
        assert_eq!(
            set_aside(&vfs, "wal/1").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
