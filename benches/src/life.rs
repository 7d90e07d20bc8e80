//! A contestant on a folder of its own, which it is started on more than once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::contestant::{Contestant, free_address};
use crate::process::Running;
use crate::stopwatch::Stopwatch;

/// Where a contestant lives.
#[derive(Debug)]
pub(crate) struct Life<'a> {
    /// Which program.
    pub(crate) contestant: &'a Contestant,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    folder: PathBuf,
}

impl<'a> Life<'a> {
    /// On an empty folder.
    ///
    /// # Errors
    /// When no port is free.
    pub(crate) fn new(contestant: &'a Contestant, folder: &Path) -> Result<Self> {
        Ok(Self {
            contestant,
            listen: free_address()?,
            folder: folder.to_owned(),
        })
    }

    /// Starts it; gives the seconds until it says that it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(&self) -> Result<(Running, f64)> {
        let since = Stopwatch::start();
        let command = self.contestant.command(&self.folder, self.listen)?;
        let mut running = Running::start(self.contestant.kind.program(), command, self.folder.join("log"))?;
        let seconds = running.ready(self.listen, self.contestant.kind.ready_path(), &since)?;
        Ok((running, seconds))
    }

    /// Its data.
    #[must_use]
    pub(crate) fn data(&self) -> PathBuf {
        self.contestant.data(&self.folder)
    }

    /// From now on it is started on another folder.
    pub(crate) fn move_to(&mut self, folder: &Path) {
        self.folder = folder.to_owned();
    }
}
