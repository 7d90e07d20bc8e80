//! The checkpoint of a journal: two files of the same bytes, so that a damaged one costs nothing.
//!
//! Invariant: no record is dropped on the strength of a checkpoint that is not durable in both files. So whichever of
//! them can be read, all records since it are there.

use std::io;
use std::path::{Path, PathBuf};

use crate::quarantine::set_aside;
use crate::vfs::Vfs;
use crate::wal::frame::{Frames, Item};
use crate::wal::header::{self, FILE_HEADER_BYTES};
use crate::wal::{Damage, Frame};
use crate::{EngineError, Result};

/// The first bytes of a checkpoint.
pub(crate) const MAGIC: [u8; 8] = *b"BAROCKP\n";

const KIND_CHECKPOINT: u8 = 4;

/// A state, and the number of the first record that is not in it.
pub(crate) type Checkpoint = (u64, Vec<u8>);

/// What the two files hold.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) checkpoint: Option<Checkpoint>,
    /// There was one, and neither file can be read.
    pub(crate) is_lost: bool,
    pub(crate) damage: Vec<Damage>,
}

/// `alerts/checkpoint` and `alerts/checkpoint.copy`.
pub(crate) fn paths(dir: &str) -> [String; 2] {
    [format!("{dir}/checkpoint"), format!("{dir}/checkpoint.copy")]
}

fn temporary_path(dir: &str) -> String {
    format!("{dir}/checkpoint.tmp")
}

/// What the two files hold, without changing them.
///
/// # Errors
/// [`EngineError::Io`]; [`EngineError::Newer`] for a whole checkpoint of a newer version.
pub(crate) fn read(vfs: &dyn Vfs, dir: &str) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    let mut is_any_there = false;
    for path in paths(dir) {
        let full = vfs.root().join(&path);
        let bytes = match vfs.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            bytes => bytes.map_err(EngineError::io("read", &full))?,
        };
        is_any_there = true;
        match decode(&full, &bytes) {
            // The first that is whole counts: it is the newer one, if they differ.
            Ok((seq, state)) if loaded.checkpoint.is_none() => {
                loaded.checkpoint = Some((seq, state.to_vec()))
            }
            Ok(_) => {}
            Err(EngineError::Corrupt {
                path,
                offset,
                expected,
                found,
            }) => loaded.damage.push(Damage {
                path,
                offset,
                bytes: bytes.len() as u64 - offset,
                what: format!("expected {expected}, found {found}"),
            }),
            Err(error) => return Err(error),
        }
    }
    loaded.is_lost = is_any_there && loaded.checkpoint.is_none();
    Ok(loaded)
}

/// What the two files hold; a damaged one is set aside and made anew from the other.
pub(crate) fn load(vfs: &dyn Vfs, dir: &str) -> Result<Loaded> {
    // An attempt that was cut short; when it cannot be removed, the next attempt overwrites it.
    let _ = vfs.remove(&temporary_path(dir));
    let loaded = read(vfs, dir)?;
    if loaded.damage.is_empty() {
        return Ok(loaded);
    }
    let root = vfs.root();
    for path in loaded
        .damage
        .iter()
        .filter_map(|d| d.path.strip_prefix(&root).ok())
    {
        set_aside(vfs, &path.to_string_lossy())
            .map_err(EngineError::io("move to quarantine", &damage_path(&loaded)))?;
    }
    if let Some((seq, state)) = &loaded.checkpoint {
        replace(vfs, dir, *seq, state)?;
    }
    Ok(loaded)
}

fn damage_path(loaded: &Loaded) -> PathBuf {
    loaded
        .damage
        .first()
        .map(|damage| damage.path.clone())
        .unwrap_or_default()
}

/// Replaces both files; durable on return.
pub(crate) fn replace(vfs: &dyn Vfs, dir: &str, seq: u64, state: &[u8]) -> Result<()> {
    let frame = Frame::new(KIND_CHECKPOINT, state.to_vec())?;
    let mut bytes = header::encode(&MAGIC, seq).to_vec();
    frame.write_to(seq, &mut bytes);
    write(vfs, dir, &bytes).map_err(EngineError::io("write", vfs.root().join(&paths(dir)[0])))
}

fn write(vfs: &dyn Vfs, dir: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_path(dir);
    for path in paths(dir) {
        let written = vfs.create(&temporary).and_then(|mut file| {
            file.append(bytes)?;
            file.sync()
        });
        if written.is_err() {
            // Gives the space back; the error that is reported is why there was too little.
            let _ = vfs.remove(&temporary);
        }
        written?;
        vfs.rename(&temporary, &path)?;
        // The temporary name is used again, so the first must be done with it.
        vfs.sync_dir(dir)?;
    }
    Ok(())
}

/// The first number behind a checkpoint, and its state.
pub(crate) fn decode<'a>(path: &Path, bytes: &'a [u8]) -> Result<(u64, &'a [u8])> {
    let seq = header::decode(&MAGIC, bytes, path)?;
    match (seq, Frames::new(bytes, FILE_HEADER_BYTES).next()) {
        (Some(seq), Some(Item::Frame(frame)))
            if frame.at == FILE_HEADER_BYTES && frame.seq == seq && frame.kind == KIND_CHECKPOINT =>
        {
            Ok((seq, frame.payload))
        }
        (seq, _) => Err(EngineError::Corrupt {
            path: path.to_owned(),
            offset: seq.map_or(0, |_| bytes.len().min(FILE_HEADER_BYTES) as u64),
            expected: "a whole checkpoint".to_owned(),
            found: "bytes whose checksum is wrong".to_owned(),
        }),
    }
}
