//! What is on the simulated disk and what is only on its way there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::names::{NameChange, Names, parent};
use super::random::Random;

/// A change of a file's bytes that no sync has covered.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Bytes at an offset.
    Write { at: u64, bytes: Vec<u8> },
    /// Zeros up to a length.
    Reserve { len: u64 },
    /// A cut.
    Truncate { len: u64 },
}

/// A file's bytes, as read and as they would be after a power cut.
#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    pub(super) data: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) inodes: BTreeMap<u64, Inode>,
    pub(super) names: Names,
    pub(super) durable_names: Names,
    /// Each with the folders whose sync it still waits for.
    pub(super) pending_names: Vec<(BTreeSet<String>, NameChange)>,
    pub(super) random: Random,
    pub(super) epoch: u64,
    pub(super) operations: u64,
    pub(super) crash_at: Option<u64>,
    pub(super) is_crashed: bool,
    /// the data directories that are taken; `""` is the disk's own
    pub(super) locked: BTreeSet<String>,
    pub(super) refuses_links: bool,
    pub(super) capacity: Option<u64>,
    pub(super) sync_fails_in: Option<u64>,
    inodes_made: u64,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            inodes: BTreeMap::new(),
            names: Names::new(),
            durable_names: Names::new(),
            pending_names: Vec::new(),
            random: Random::new(seed),
            epoch: 0,
            operations: 0,
            crash_at: None,
            is_crashed: false,
            locked: BTreeSet::new(),
            refuses_links: false,
            capacity: None,
            sync_fails_in: None,
            inodes_made: 0,
        }
    }

    pub(super) fn create(&mut self, path: &str) -> io::Result<u64> {
        self.step()?;
        let dir = self.existing_parent(path)?.to_owned();
        if let Some(&inode) = self.names.files.get(path) {
            self.change(inode, Change::Truncate { len: 0 });
            return Ok(inode);
        }
        self.inodes_made += 1;
        let inode = self.inodes_made;
        self.inodes.insert(inode, Inode::default());
        self.link_inode(path, inode, dir);
        Ok(inode)
    }

    pub(super) fn link(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        let dir = self.existing_parent(to)?.to_owned();
        let inode = *self.names.files.get(from).ok_or_else(|| not_found(from))?;
        if self.names.files.contains_key(to) {
            return Err(taken(to));
        }
        self.link_inode(to, inode, dir);
        Ok(())
    }

    fn link_inode(&mut self, path: &str, inode: u64, dir: String) {
        let link = NameChange::Link {
            path: path.to_owned(),
            inode,
        };
        link.apply(&mut self.names);
        self.pending_names.push((BTreeSet::from([dir]), link));
    }

    fn existing_parent<'a>(&self, path: &'a str) -> io::Result<&'a str> {
        let dir = parent(path);
        match self.names.dirs.contains(dir) {
            true => Ok(dir),
            false => Err(not_found(dir)),
        }
    }

    pub(super) fn read(&self, path: &str) -> io::Result<(u64, &[u8])> {
        self.check_power()?;
        let inode = *self.names.files.get(path).ok_or_else(|| not_found(path))?;
        Ok((inode, self.inodes.get(&inode).map_or(&[][..], |file| &file.data)))
    }

    pub(super) fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.check_power()?;
        Ok(self.names.list(dir))
    }

    pub(super) fn create_dir_all(&mut self, dir: &str) -> io::Result<()> {
        self.step()?;
        self.names.create_dir_all(dir);
        self.durable_names.create_dir_all(dir);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        self.existing_parent(to)?;
        let rename = if self.names.dirs.contains(from) {
            if self.names.dirs.contains(to) || self.names.files.contains_key(to) {
                return Err(taken(to));
            }
            if self.pending_names.iter().any(|(_, change)| change.is_below(from)) {
                let message = format!("simulation: {from:?} is renamed before the names in it are durable");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            NameChange::RenameDir {
                from: from.to_owned(),
                to: to.to_owned(),
            }
        } else {
            NameChange::Rename {
                from: from.to_owned(),
                to: to.to_owned(),
                inode: *self.names.files.get(from).ok_or_else(|| not_found(from))?,
            }
        };
        rename.apply(&mut self.names);
        let dirs = BTreeSet::from([parent(from).to_owned(), parent(to).to_owned()]);
        self.pending_names.push((dirs, rename));
        Ok(())
    }

    pub(super) fn remove_dir_all(&mut self, dir: &str) -> io::Result<()> {
        self.step()?;
        if !self.names.dirs.contains(dir) {
            return Ok(());
        }
        let remove = NameChange::RemoveDir { dir: dir.to_owned() };
        remove.apply(&mut self.names);
        self.pending_names.retain(|(_, change)| !change.is_below(dir));
        self.pending_names
            .push((BTreeSet::from([parent(dir).to_owned()]), remove));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        self.step()?;
        if !self.names.files.contains_key(path) {
            return Err(not_found(path));
        }
        let unlink = NameChange::Unlink {
            path: path.to_owned(),
        };
        unlink.apply(&mut self.names);
        self.pending_names
            .push((BTreeSet::from([parent(path).to_owned()]), unlink));
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &str) -> io::Result<()> {
        self.step()?;
        let fails = self.sync_fails();
        let mut waiting = Vec::new();
        for (mut dirs, change) in std::mem::take(&mut self.pending_names) {
            dirs.remove(dir);
            if !dirs.is_empty() {
                waiting.push((dirs, change));
            } else if !fails || self.random.flip() {
                change.apply(&mut self.durable_names);
            }
        }
        self.pending_names = waiting;
        if fails {
            Err(io::Error::other("simulated failing sync of a folder"))
        } else {
            Ok(())
        }
    }

    pub(super) fn take_lock(&mut self, dir: &str) -> io::Result<()> {
        self.check_power()?;
        if !self.locked.insert(dir.to_owned()) {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "this simulation has locked it",
            ));
        }
        Ok(())
    }

    pub(super) fn write(&mut self, inode: u64, epoch: u64, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.step_in(epoch)?;
        let room = self.room(inode);
        let fits = room.saturating_sub(at).min(bytes.len() as u64) as usize;
        self.change(
            inode,
            Change::Write {
                at,
                bytes: bytes[..fits].to_vec(),
            },
        );
        if fits < bytes.len() { Err(full()) } else { Ok(()) }
    }

    pub(super) fn reserve(&mut self, inode: u64, epoch: u64, len: u64) -> io::Result<()> {
        self.step_in(epoch)?;
        if len > self.room(inode) {
            return Err(full());
        }
        self.change(inode, Change::Reserve { len });
        Ok(())
    }

    pub(super) fn truncate(&mut self, inode: u64, epoch: u64, len: u64) -> io::Result<()> {
        self.step_in(epoch)?;
        self.change(inode, Change::Truncate { len });
        Ok(())
    }

    pub(super) fn sync(&mut self, inode: u64, epoch: u64) -> io::Result<()> {
        self.step_in(epoch)?;
        let fails = self.sync_fails();
        let Some(file) = self.inodes.get_mut(&inode) else {
            return Ok(());
        };
        for change in std::mem::take(&mut file.pending) {
            if !fails || self.random.flip() {
                change.apply(&mut file.durable);
            }
        }
        if fails {
            Err(io::Error::other("simulated failing sync"))
        } else {
            Ok(())
        }
    }

    pub(super) fn flip_bit(&mut self, path: &str, bit: u64) {
        let Some(file) = self
            .names
            .files
            .get(path)
            .and_then(|inode| self.inodes.get_mut(inode))
        else {
            return;
        };
        let bits = file.data.len() as u64 * 8;
        if bits == 0 {
            return;
        }
        let (at, mask) = ((bit % bits / 8) as usize, 1 << (bit % 8));
        file.data[at] ^= mask;
        if let Some(byte) = file.durable.get_mut(at) {
            *byte ^= mask;
        }
    }

    pub(super) fn files(&self) -> Vec<(String, u64)> {
        let len = |inode| {
            self.inodes
                .get(inode)
                .map_or(0, |file: &Inode| file.data.len() as u64)
        };
        self.names
            .files
            .iter()
            .map(|(path, inode)| (path.clone(), len(inode)))
            .collect()
    }

    pub(super) fn used_bytes(&self) -> u64 {
        // A file with two names takes its space once.
        let named: BTreeSet<u64> = self.names.files.values().copied().collect();
        let len = |inode| {
            self.inodes
                .get(&inode)
                .map_or(0, |file: &Inode| file.data.len() as u64)
        };
        named.into_iter().map(len).sum()
    }

    /// The longest that a file may become.
    fn room(&self, inode: u64) -> u64 {
        let own = self.inodes.get(&inode).map_or(0, |file| file.data.len() as u64);
        self.capacity.map_or(u64::MAX, |capacity| {
            capacity.saturating_sub(self.used_bytes()).saturating_add(own)
        })
    }

    fn change(&mut self, inode: u64, change: Change) {
        if let Some(file) = self.inodes.get_mut(&inode) {
            change.apply(&mut file.data);
            file.pending.push(change);
        }
    }

    fn sync_fails(&mut self) -> bool {
        let fails = self.sync_fails_in == Some(0);
        self.sync_fails_in = self.sync_fails_in.and_then(|left| left.checked_sub(1));
        fails
    }

    /// Counts an operation of an open file.
    fn step_in(&mut self, epoch: u64) -> io::Result<()> {
        if epoch != self.epoch {
            return Err(io::Error::other(
                "simulated power cut: the file was open before it",
            ));
        }
        self.step()
    }

    /// Counts an operation; fails when the power is off.
    fn step(&mut self) -> io::Result<()> {
        self.check_power()?;
        if self.crash_at == Some(self.operations) {
            self.is_crashed = true;
            self.crash_at = None;
            return self.check_power();
        }
        self.operations += 1;
        Ok(())
    }

    fn check_power(&self) -> io::Result<()> {
        if self.is_crashed {
            Err(io::Error::other("simulated power cut"))
        } else {
            Ok(())
        }
    }
}

impl Change {
    /// Does to the bytes what was asked for, in full.
    pub(super) fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => overwrite(data, *at as usize, bytes),
            Self::Reserve { len } => data.resize(data.len().max(*len as usize), 0),
            Self::Truncate { len } => data.truncate(*len as usize),
        }
    }
}

/// Puts bytes at an offset; a gap before it reads as zeros.
pub(super) fn overwrite(data: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    data.resize(data.len().max(at + bytes.len()), 0);
    data[at..at + bytes.len()].copy_from_slice(bytes);
}

fn not_found(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{path:?} does not exist"))
}

fn taken(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{path:?} exists already"))
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "simulated full disk")
}
