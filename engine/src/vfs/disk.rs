//! A data directory on a real disk.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::FallocateFlags;

use super::copy::copy;
use super::{Vfs, VfsFile, mmap};

/// The file that is locked, and that says which process has done so.
const LOCK: &str = "LOCK";

/// A folder of the operating system.
#[derive(Debug, Clone)]
pub struct DiskVfs {
    root: PathBuf,
}

impl DiskVfs {
    /// A data directory; it is created when it is missing.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        create_dir_durably(&root)?;
        Ok(Self { root })
    }

    /// Where a relative path is. Refuses paths that would leave the data directory.
    fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let relative = Path::new(path);
        if relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Ok(self.root.join(relative));
        }
        let message = format!("{path:?} is not a path inside the data directory");
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

impl Vfs for DiskVfs {
    fn create(&self, path: &str) -> io::Result<Box<dyn VfsFile>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.resolve(path)?)?;
        Ok(Box::new(DiskFile { file, len: 0 }))
    }

    fn open_append(&self, path: &str) -> io::Result<Box<dyn VfsFile>> {
        let file = OpenOptions::new().write(true).open(self.resolve(path)?)?;
        let len = file.metadata()?.len();
        Ok(Box::new(DiskFile { file, len }))
    }

    fn read(&self, path: &str) -> io::Result<Bytes> {
        mmap::map(&File::open(self.resolve(path)?)?)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.resolve(path)?)?.len())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.resolve(dir)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir_all(&self, dir: &str) -> io::Result<()> {
        create_dir_durably(&self.resolve(dir)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.resolve(from)?, self.resolve(to)?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.resolve(path)?)
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        match fs::hard_link(self.resolve(from)?, self.resolve(to)?) {
            Err(error) if refuses_links(&error) => copy(self, from, to),
            result => result,
        }
    }

    fn remove_dir_all(&self, dir: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.resolve(dir)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn subfolder(&self, dir: &str) -> io::Result<Arc<dyn Vfs>> {
        Ok(Arc::new(Self::open(self.resolve(dir)?)?))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.resolve(dir)?)?.sync_all()
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync + Debug>> {
        let path = self.resolve(LOCK)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The text is a courtesy; that the lock is taken is the answer, whether it can be read or
                // not.
                let _ = file.take(32).read_to_string(&mut holder);
                let message = format!("process {} has locked it", holder.trim());
                return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Box::new(file))
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let disk = rustix::fs::statvfs(&self.root)?;
        Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    fn root(&self) -> PathBuf {
        self.root.clone()
    }
}

/// A file that is written at `len`.
#[derive(Debug)]
struct DiskFile {
    file: File,
    len: u64,
}

impl VfsFile for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.len)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn preallocate(&mut self, bytes: u64) -> io::Result<()> {
        if bytes <= self.len {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, bytes) {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            result => Ok(result?),
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        assert!(
            len <= self.len,
            "a file is cut to at most what was appended ({len} > {})",
            self.len
        );
        self.file.set_len(len)?;
        self.len = len;
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }
}

/// Whether an error says that this file cannot have a second name there, rather than that the disk or the caller is at
/// fault: another device, a file system without links, or too many names already.
fn refuses_links(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let refusals = [
        Errno::XDEV,
        Errno::PERM,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::MLINK,
    ];
    Errno::from_io_error(error).is_some_and(|errno| refusals.contains(&errno))
}

/// Creates a folder and those above it, each durable in the one that holds it.
fn create_dir_durably(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
                return Err(error);
            };
            create_dir_durably(parent)?;
            fs::create_dir(path)?;
        }
        Err(error) => return Err(error),
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, DiskVfs) {
        let folder = tempfile::tempdir().unwrap();
        let vfs = DiskVfs::open(folder.path().join("a/b")).unwrap();
        (folder, vfs)
    }

    #[test]
    fn appends_are_read_back_and_cuts_take_the_reserved_part_too() {
        let (_folder, vfs) = folder();
        vfs.create_dir_all("wal/x").unwrap();
        let mut file = vfs.create("wal/f").unwrap();
        file.preallocate(4096).unwrap();
        file.append(b"hello").unwrap();
        file.append(b" world").unwrap();
        file.sync().unwrap();
        vfs.sync_dir("wal").unwrap();
        assert_eq!((file.len(), vfs.len("wal/f").unwrap()), (11, 4096));
        file.truncate(5).unwrap();
        file.append(b"!").unwrap();
        assert_eq!(&vfs.read("wal/f").unwrap()[..], b"hello!");
        drop(file);
        let mut file = vfs.open_append("wal/f").unwrap();
        assert_eq!(file.len(), 6);
        file.append(b"?").unwrap();
        let bytes = vfs.read("wal/f").unwrap();
        vfs.rename("wal/f", "wal/g").unwrap();
        vfs.remove("wal/g").unwrap();
        assert_eq!(&bytes[..], b"hello!?", "a map outlives the name");
        assert_eq!(vfs.list("wal").unwrap(), ["x"]);
        assert_eq!(vfs.list("nowhere").unwrap(), Vec::<String>::new());
        assert!(vfs.create("empty").unwrap().is_empty());
        assert!(vfs.read("empty").unwrap().is_empty());
    }

    #[test]
    fn a_disk_says_what_is_free() {
        let (_folder, vfs) = folder();
        assert!(vfs.free_bytes().unwrap().is_some_and(|free| free > 0));
    }

    #[test]
    fn a_link_keeps_the_bytes_when_the_first_name_goes() {
        let (_folder, vfs) = folder();
        vfs.create_dir_all("a").unwrap();
        vfs.create_dir_all("b").unwrap();
        vfs.create("a/f").unwrap().append(b"bytes").unwrap();
        vfs.link("a/f", "b/f").unwrap();
        vfs.remove("a/f").unwrap();
        assert_eq!(&vfs.read("b/f").unwrap()[..], b"bytes");
        assert_eq!(
            vfs.link("a/f", "b/g").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        vfs.create("a/f").unwrap();
        for link in [vfs.link("a/f", "b/f"), copy(&vfs, "a/f", "b/f")] {
            assert_eq!(link.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        copy(&vfs, "b/f", "b/copy").unwrap();
        assert_eq!(&vfs.read("b/copy").unwrap()[..], b"bytes");
        let b = vfs.subfolder("b").unwrap();
        assert_eq!(b.list("").unwrap(), ["copy", "f"]);
        let held = vfs.lock().unwrap();
        drop((b.lock().unwrap(), held));
        vfs.rename("b", "c").unwrap();
        assert_eq!(&vfs.read("c/f").unwrap()[..], b"bytes");
        vfs.remove_dir_all("c").unwrap();
        vfs.remove_dir_all("c").unwrap();
        assert_eq!(vfs.list("").unwrap(), ["LOCK", "a"]);
    }

    #[test]
    fn a_file_system_that_refuses_links_gets_copies() {
        let refused = |code| refuses_links(&io::Error::from_raw_os_error(code));
        assert!(refused(rustix::io::Errno::XDEV.raw_os_error()));
        assert!(!refused(rustix::io::Errno::NOSPC.raw_os_error()));
        assert!(!refuses_links(&io::Error::other("x")));
    }

    #[test]
    fn one_process_holds_the_lock() {
        let (_folder, vfs) = folder();
        let held = vfs.lock().unwrap();
        let error = vfs.lock().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(
            error.to_string(),
            format!("process {} has locked it", std::process::id())
        );
        drop(held);
        vfs.lock().unwrap();
    }

    #[test]
    fn paths_stay_inside() {
        let (_folder, vfs) = folder();
        for path in ["../x", "/etc/passwd", "a/../../x", "./x"] {
            assert_eq!(
                vfs.create(path).unwrap_err().kind(),
                io::ErrorKind::InvalidInput,
                "{path}"
            );
        }
    }
}
