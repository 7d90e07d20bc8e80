//! Blocks of Prometheus, read by its own `promtool tsdb dump`.
//!
//! promtool wants a whole data directory, with a log, and writes into it. So it is given a folder beside the source that
//! has the source's blocks and log under second names, and is removed afterwards.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use super::ImportFailure;

/// Of what promtool says on stderr this much is kept.
const SAID_BYTES_MAX: u64 = 4 << 10;

/// A folder with blocks, or one block, and the program that reads it.
#[derive(Debug)]
pub(super) struct BlockDump {
    pub(super) dir: PathBuf,
    pub(super) program: OsString,
}

/// promtool at work. It is ended when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    output: Option<ChildStdout>,
    said: Option<JoinHandle<String>>,
    /// the folder that promtool reads
    copy: PathBuf,
}

impl BlockDump {
    /// The blocks, as names: what tells this source from another.
    ///
    /// # Errors
    /// [`ImportFailure::Io`]; [`ImportFailure::Promtool`] where there is no block.
    pub(super) fn blocks(&self) -> Result<Vec<String>, ImportFailure> {
        if is_block(&self.dir) {
            return Ok(vec![self.dir.display().to_string()]);
        }
        let entries = fs::read_dir(&self.dir).map_err(ImportFailure::io("list", &self.dir))?;
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| is_block(&entry.path()))
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        if names.is_empty() {
            return Err(ImportFailure::Promtool {
                reason: format!(
                    "{} holds no block (a folder with a meta.json, which Prometheus writes every two hours)",
                    self.dir.display()
                ),
            });
        }
        Ok(names)
    }

    /// Starts the dump.
    ///
    /// # Errors
    /// [`ImportFailure::Promtool`] where it is not installed.
    pub(super) fn start(self) -> Result<Running, ImportFailure> {
        let copy = link_copy(&self.dir)?;
        let spawned = Command::new(&self.program)
            .args(["tsdb", "dump"])
            .arg(&copy)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| {
            let _ = fs::remove_dir_all(&copy);
            ImportFailure::Promtool {
            reason: format!(
                "{} cannot be started: {error} (on Debian it comes with the package prometheus; --promtool names another)",
                self.program.to_string_lossy()
            ),
        }})?;
        // Read beside, so that a full pipe does not hold it up.
        let said = child
            .stderr
            .take()
            .map(|stderr| std::thread::spawn(move || heard(stderr)));
        Ok(Running {
            output: child.stdout.take(),
            child,
            said,
            copy,
        })
    }
}

impl Running {
    /// The dump, once.
    pub(super) fn output(&mut self) -> Result<ChildStdout, ImportFailure> {
        self.output.take().ok_or(ImportFailure::Thread)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// [`ImportFailure::Promtool`] with what it said, when it failed: the dump is then not whole.
    pub(super) fn finish(mut self) -> Result<(), ImportFailure> {
        let status = self.child.wait().map_err(|error| ImportFailure::Promtool {
            reason: error.to_string(),
        })?;
        let said = self.said.take().and_then(|thread| thread.join().ok());
        if status.success() {
            return Ok(());
        }
        Err(ImportFailure::Promtool {
            reason: format!("{status}: {}", said.unwrap_or_default().trim()),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.copy);
    }
}

fn is_block(dir: &Path) -> bool {
    dir.join("meta.json").is_file() && dir.join("index").is_file()
}

/// A folder beside the source, with its blocks, or the one block that it is, and its log; an empty log where it has none.
fn link_copy(source: &Path) -> Result<PathBuf, ImportFailure> {
    let whole = fs::canonicalize(source).map_err(ImportFailure::io("open", source))?;
    let name = whole.file_name().ok_or_else(|| ImportFailure::Promtool {
        reason: format!("{} has no name", whole.display()),
    })?;
    let mut hidden = OsString::from(".barograph-import-");
    hidden.push(name);
    let copy = whole.with_file_name(hidden);
    // What an import has left that was killed.
    let _ = fs::remove_dir_all(&copy);
    link_blocks(&whole, name, &copy).inspect_err(|_| {
        let _ = fs::remove_dir_all(&copy);
    })?;
    Ok(copy)
}

fn link_blocks(whole: &Path, name: &OsStr, copy: &Path) -> Result<(), ImportFailure> {
    let log = copy.join("wal");
    fs::create_dir_all(&log).map_err(ImportFailure::io("create", &log))?;
    if is_block(whole) {
        return link_tree(whole, &copy.join(name));
    }
    for entry in fs::read_dir(whole).map_err(ImportFailure::io("list", whole))? {
        let path = entry.map_err(ImportFailure::io("list", whole))?.path();
        let Some(name) = path.file_name() else { continue };
        if is_block(&path) || (name == "wal" && path.is_dir()) {
            link_tree(&path, &copy.join(name))?;
        }
    }
    Ok(())
}

fn link_tree(from: &Path, to: &Path) -> Result<(), ImportFailure> {
    fs::create_dir_all(to).map_err(ImportFailure::io("create", to))?;
    for entry in fs::read_dir(from).map_err(ImportFailure::io("list", from))? {
        let path = entry.map_err(ImportFailure::io("list", from))?.path();
        let Some(name) = path.file_name() else { continue };
        let second = to.join(name);
        if path.is_dir() {
            link_tree(&path, &second)?;
        } else if fs::hard_link(&path, &second).is_err() {
            fs::copy(&path, &second).map_err(ImportFailure::io("copy", &path))?;
        }
    }
    Ok(())
}

fn heard(stderr: ChildStderr) -> String {
    let mut bytes = Vec::new();
    let mut stderr = stderr;
    let _ = (&mut stderr).take(SAID_BYTES_MAX).read_to_end(&mut bytes);
    // The rest must go somewhere.
    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}
