//! Views: queries with a name, kept in the file `views` of the data directory.
//!
//! ```text
//! barograph-views 1 XXXXXXXX\n     the version, and the CRC-32C of what follows in hexadecimal
//! [{"name": "...", "definition": "SELECT ..."}, ...]
//! ```
//! The file is written anew for each change and renamed into its place once it is synced, so that either the old or the new
//! views are there after a crash. A file that does not read is moved to `quarantine/`, and the program starts without views.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use barograph_engine::EngineError;
use barograph_engine::backup::SnapshotFolder;
use barograph_engine::vfs::Vfs;
use serde::{Deserialize, Serialize};

use super::error::{SqlError, SqlErrorCode, quoted};

/// The file in the data directory.
pub const VIEWS_FILE: &str = "views";
const NEXT_FILE: &str = "views.next";
const QUARANTINE: &str = "quarantine";
const MAGIC: &str = "barograph-views 1 ";
/// Views that may be kept; each is planned where a client lists all columns.
const VIEWS_MAX: usize = 1_000;

/// Names and definitions of all views at one moment.
pub(crate) type Definitions = Arc<BTreeMap<String, String>>;

/// The views of a store.
#[derive(Debug)]
pub struct Views {
    place: Option<Arc<dyn Vfs>>,
    /// What is kept now. Held while the file is written, so that changes follow one another.
    kept: Mutex<Definitions>,
    damage: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct View {
    name: String,
    definition: String,
}

impl Views {
    /// No views, and new ones are forgotten with the program.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            place: None,
            kept: Mutex::default(),
            damage: None,
        }
    }

    /// Reads the views of a data directory.
    ///
    /// # Errors
    /// What the system says when the file is there and cannot be read or set aside. Damage is no error, see
    /// [`Views::damage`].
    pub fn open(place: Arc<dyn Vfs>) -> io::Result<Self> {
        let bytes = match place.read(VIEWS_FILE) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (kept, damage) = match bytes.as_deref().map(decode) {
            None => (BTreeMap::new(), None),
            Some(Ok(kept)) => (kept, None),
            Some(Err(what)) => {
                place.create_dir_all(QUARANTINE)?;
                place.rename(VIEWS_FILE, &format!("{QUARANTINE}/{VIEWS_FILE}"))?;
                place.sync_dir(QUARANTINE)?;
                place.sync_dir("")?;
                (BTreeMap::new(), Some(what))
            }
        };
        Ok(Self {
            place: Some(place),
            kept: Mutex::new(Arc::new(kept)),
            damage,
        })
    }

    /// Puts the views into a snapshot of the store. Blocks; changes wait.
    ///
    /// # Errors
    /// What the snapshot's folder says.
    pub fn snapshot_into(&self, folder: &mut SnapshotFolder<'_>) -> Result<(), EngineError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.place.is_some() && !kept.is_empty() {
            folder.link(VIEWS_FILE)?;
        }
        Ok(())
    }

    /// What is wrong with the bytes of a file of views.
    ///
    /// # Errors
    /// In words.
    pub fn check(bytes: &[u8]) -> Result<usize, String> {
        decode(bytes).map(|views| views.len())
    }

    /// What was wrong with the file when it was opened.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// All views now.
    pub(crate) fn all(&self) -> Definitions {
        Arc::clone(&self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a view; durable on return. Where one of this name is there it is replaced if `or_replace`, and left if
    /// `if_not_exists`.
    ///
    /// # Errors
    /// `unsupported` for a name that is taken or one view too many, `execution` when the file cannot be written.
    pub(crate) fn create(
        &self,
        name: &str,
        definition: &str,
        or_replace: bool,
        if_not_exists: bool,
    ) -> Result<(), SqlError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.contains_key(name) && !or_replace {
            if if_not_exists {
                return Ok(());
            }
            let message = format!("there is a view {} already", quoted(name));
            return Err(SqlError::new(SqlErrorCode::Unsupported, message)
                .with_hint("CREATE OR REPLACE VIEW replaces it"));
        }
        if kept.len() >= VIEWS_MAX && !kept.contains_key(name) {
            let message = format!("there are {VIEWS_MAX} views, which is the limit");
            return Err(
                SqlError::new(SqlErrorCode::Unsupported, message).with_hint("drop one with DROP VIEW")
            );
        }
        let mut changed = kept.as_ref().clone();
        changed.insert(name.to_owned(), definition.to_owned());
        self.write(&changed)?;
        *kept = Arc::new(changed);
        Ok(())
    }

    /// Forgets a view; durable on return. Gives whether there was one.
    ///
    /// # Errors
    /// `execution` when the file cannot be written.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, SqlError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = kept.as_ref().clone();
        if changed.remove(name).is_none() {
            return Ok(false);
        }
        self.write(&changed)?;
        *kept = Arc::new(changed);
        Ok(true)
    }

    fn write(&self, views: &BTreeMap<String, String>) -> Result<(), SqlError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let write = || {
            let mut file = place.create(NEXT_FILE)?;
            file.append(&encode(views)?)?;
            file.sync()?;
            drop(file);
            place.rename(NEXT_FILE, VIEWS_FILE)?;
            place.sync_dir("")
        };
        write().map_err(|error| {
            let message = format!("writing {VIEWS_FILE} in the data directory: {error}");
            SqlError::new(SqlErrorCode::Execution, message)
        })
    }
}

fn encode(views: &BTreeMap<String, String>) -> io::Result<Vec<u8>> {
    let views: Vec<_> = views
        .iter()
        .map(|(name, definition)| View {
            name: name.clone(),
            definition: definition.clone(),
        })
        .collect();
    let body = serde_json::to_vec_pretty(&views)?;
    let mut bytes = format!("{MAGIC}{:08x}\n", crc32c::crc32c(&body)).into_bytes();
    bytes.extend(body);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or_default();
    let (head, body) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let sum = std::str::from_utf8(head)
        .ok()
        .and_then(|head| head.strip_prefix(MAGIC))
        .and_then(|sum| u32::from_str_radix(sum, 16).ok())
        .ok_or_else(|| format!("the first line is not \"{MAGIC}\" and a checksum"))?;
    let found = crc32c::crc32c(body);
    if found != sum {
        return Err(format!("the checksum is {found:08x}, {sum:08x} was expected"));
    }
    let views: Vec<View> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(views
        .into_iter()
        .map(|view| (view.name, view.definition))
        .collect())
}

#[cfg(test)]
mod tests {
    use barograph_engine::vfs::{DiskVfs, SimVfs, for_each_seed};

    use super::*;

    fn place() -> (tempfile::TempDir, Arc<dyn Vfs>) {
        let folder = tempfile::tempdir().unwrap();
        let vfs = DiskVfs::open(folder.path()).unwrap();
        (folder, Arc::new(vfs))
    }

    #[test]
    fn views_are_there_after_a_start() {
        let (_folder, place) = place();
        let views = Views::open(Arc::clone(&place)).unwrap();
        views.create("a", "SELECT 1", false, false).unwrap();
        views.create("b", "SELECT 'ü'\n", false, false).unwrap();
        views.create("a", "SELECT 2", true, false).unwrap();
        views.create("b", "SELECT 3", false, true).unwrap();
        assert!(views.create("a", "SELECT 4", false, false).is_err());
        assert!(!views.remove("c").unwrap());
        let again = Views::open(Arc::clone(&place)).unwrap();
        assert_eq!(again.all(), views.all());
        assert_eq!(again.all()["a"], "SELECT 2");
        assert_eq!(again.all()["b"], "SELECT 'ü'\n");
        assert!(again.remove("a").unwrap());
        let last = Views::open(place).unwrap();
        assert_eq!(last.all().keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn every_damage_is_found() {
        let (folder, place) = place();
        let views = Views::open(Arc::clone(&place)).unwrap();
        views.create("a", "SELECT 1", false, false).unwrap();
        let path = folder.path().join(VIEWS_FILE);
        let good = std::fs::read(&path).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            let opened = Views::open(Arc::clone(&place)).unwrap();
            // Upper-case digits of a checksum are the same number.
            if opened.damage().is_none() {
                assert_eq!(opened.all()["a"], "SELECT 1", "byte {i}");
                continue;
            }
            assert!(opened.all().is_empty());
            assert!(folder.path().join("quarantine/views").exists());
        }
        std::fs::write(&path, &good[..good.len() / 2]).unwrap();
        assert!(Views::open(place).unwrap().damage().is_some());
    }

    #[test]
    fn sim_a_crash_leaves_the_views_before_or_after() {
        for_each_seed(200, |seed| {
            let vfs = Arc::new(SimVfs::new(seed));
            let place: Arc<dyn Vfs> = Arc::clone(&vfs) as _;
            let views = Views::open(Arc::clone(&place)).unwrap();
            views.create("a", "SELECT 1", false, false).unwrap();
            vfs.crash_after(seed % 6);
            let done = views.create("b", "SELECT 2", false, false).is_ok();
            vfs.restart();
            let again = Views::open(place).unwrap();
            assert_eq!(again.damage(), None, "seed {seed}");
            assert_eq!(again.all()["a"], "SELECT 1", "seed {seed}");
            if done {
                assert!(again.all().contains_key("b"), "seed {seed}");
            }
        });
    }
}
