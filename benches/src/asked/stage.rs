//! A contestant that has been given a workload's data, and is started on it again and again.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::page_cache::drop_cached;
use crate::asking::PromQl;
use crate::connection::Connection;
use crate::contestant::{Contestant, Kind};
use crate::life::Life;
use crate::parity::expect_all;
use crate::process::Running;
use crate::send::send;
use crate::settle::settle;
use crate::workload::Workload;

/// What is shown of a refusal.
const REASON_BYTES_SHOWN: usize = 300;

/// A contestant and its data, in a folder that goes with it.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    /// Who.
    pub(crate) kind: Kind,
    life: Life<'a>,
    _folder: TempDir,
}

impl<'a> Stage<'a> {
    /// Sends everything, makes sure that it is there, and lets the contestant do what it defers. It is stopped then.
    ///
    /// # Errors
    /// When it does not start or stop, refuses samples, or has lost some.
    pub(crate) fn load(
        contestant: &'a Contestant,
        workload: &Workload,
        connections: usize,
        quiet: Duration,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let life = Life::new(contestant, folder.path())?;
        let (kind, listen, bodies) = (contestant.kind, life.listen, &workload.bodies);
        let (running, _) = life.start()?;
        send(kind, listen, bodies, 0..bodies.rounds.len(), connections)?;
        expect_all(kind, listen, bodies, "after the last acknowledgement")?;
        match kind {
            // Its head becomes blocks as time passes, and nothing makes it hurry.
            Kind::Prometheus => {
                running.stop()?;
            }
            Kind::Barograph | Kind::VictoriaMetrics => {
                settle(&life, running, quiet)?;
            }
        }
        Ok(Self {
            kind,
            life,
            _folder: folder,
        })
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(&self) -> Result<Running> {
        Ok(self.life.start()?.0)
    }

    /// Starts it without anything in memory: neither its own, nor its files in the page cache.
    ///
    /// # Errors
    /// When a file cannot be read, or it does not start.
    pub(crate) fn start_cold(&self) -> Result<Running> {
        drop_cached(&self.life.data())?;
        self.start()
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// When nothing listens.
    pub(crate) fn connect(&self) -> Result<Connection> {
        Connection::open(self.life.listen)
    }
}

/// The text of an answer.
///
/// # Errors
/// When the connection breaks, or the query is refused, with what is said.
pub(crate) fn ask(connection: &mut Connection, query: &PromQl) -> Result<String> {
    let (status, text) = connection.get(&query.path())?;
    if status != 200 {
        let reason = text.trim();
        bail!(
            "{status}: {}",
            &reason[..reason.floor_char_boundary(REASON_BYTES_SHOWN)]
        );
    }
    Ok(text)
}
