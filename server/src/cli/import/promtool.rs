//! Blocks of Prometheus, read by its own `promtool tsdb dump`.

use std::ffi::OsString;
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
    /// holds a single block, since promtool reads a folder of blocks
    parent: Option<PathBuf>,
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
        let parent = match is_block(&self.dir) {
            true => Some(parent_of(&self.dir)?),
            false => None,
        };
        let spawned = Command::new(&self.program)
            .args(["tsdb", "dump"])
            .arg(parent.as_ref().unwrap_or(&self.dir))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| ImportFailure::Promtool {
            reason: format!(
                "{} cannot be started: {error} (on Debian it comes with the package prometheus; --promtool names another)",
                self.program.to_string_lossy()
            ),
        })?;
        // Read beside, so that a full pipe does not hold it up.
        let said = child
            .stderr
            .take()
            .map(|stderr| std::thread::spawn(move || heard(stderr)));
        Ok(Running {
            output: child.stdout.take(),
            child,
            said,
            parent,
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
        if let Some(parent) = &self.parent {
            let _ = fs::remove_dir_all(parent);
        }
    }
}

fn is_block(dir: &Path) -> bool {
    dir.join("meta.json").is_file() && dir.join("index").is_file()
}

/// A folder beside a block that holds nothing but the block, its files under second names.
fn parent_of(block: &Path) -> Result<PathBuf, ImportFailure> {
    let name = block.file_name().ok_or_else(|| ImportFailure::Promtool {
        reason: format!("{} has no name (give its whole path)", block.display()),
    })?;
    let mut hidden = OsString::from(".barograph-import-");
    hidden.push(name);
    let parent = block.with_file_name(hidden);
    let _ = fs::remove_dir_all(&parent);
    link_tree(block, &parent.join(name)).inspect_err(|_| {
        let _ = fs::remove_dir_all(&parent);
    })?;
    Ok(parent)
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
