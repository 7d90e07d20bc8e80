//! A program that is measured: started, watched through `/proc`, stopped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::connection::Connection;
use crate::stopwatch::Stopwatch;

/// The unit of CPU times in `/proc`: on Linux a hundredth of a second on every machine.
const TICKS_PER_SECOND: f64 = 100.0;
const READY_PATIENCE: Duration = Duration::from_secs(120);
const STOP_PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(2);
/// What is shown of the log of a program that failed.
const LOG_BYTES_SHOWN: usize = 2_000;

/// A program that runs. Killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Running {
    /// Starts a program with its output in a file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name} ({:?})", command.get_program()))?;
        Ok(Self {
            child,
            name: name.to_owned(),
            log,
        })
    }

    /// Waits until a `GET` of `path` answers 200; gives the seconds since `since`.
    ///
    /// # Errors
    /// When the program ends, or is not ready after two minutes.
    pub fn ready(&mut self, host: SocketAddr, path: &str, since: &Stopwatch) -> Result<f64> {
        while since.elapsed() < READY_PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} ended with {status} before it was ready:\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            let answer = Connection::open(host).and_then(|mut connection| connection.get(path));
            if answer.is_ok_and(|(status, _)| status == 200) {
                return Ok(since.seconds());
            }
            std::thread::sleep(POLL);
        }
        bail!(
            "{} was not ready after {READY_PATIENCE:?}:\n{}",
            self.name,
            self.log_tail()
        )
    }

    /// CPU seconds that its threads have used, user and system together.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // The name in parentheses may hold spaces; utime and stime are fields 14 and 15 of the whole line.
        let after = text.rsplit_once(") ").context("/proc/PID/stat has no name")?.1;
        let ticks = after.split(' ').skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
    }

    /// The most memory it has held, in bytes.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn peak_bytes(&self) -> Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        Ok(kib.with_context(|| format!("{path} has no VmHWM"))? * 1024.0)
    }

    /// Asks it to stop, waits, and gives the seconds it took.
    ///
    /// # Errors
    /// When it fails, or does not end within two minutes.
    pub fn stop(mut self) -> Result<f64> {
        let since = Stopwatch::start();
        self.signal("TERM")?;
        let status = self.wait(&since)?;
        if !status.success() {
            bail!("{} ended with {status}:\n{}", self.name, self.log_tail());
        }
        Ok(since.seconds())
    }

    /// Ends it as a power cut would, but for what the operating system has already taken.
    ///
    /// # Errors
    /// When it does not end.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .context("cannot run kill")?;
        if !status.success() {
            bail!("{} has ended already:\n{}", self.name, self.log_tail());
        }
        Ok(())
    }

    fn wait(&mut self, since: &Stopwatch) -> Result<ExitStatus> {
        while since.elapsed() < STOP_PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(POLL);
        }
        bail!("{} still runs {STOP_PATIENCE:?} after SIGTERM", self.name)
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(LOG_BYTES_SHOWN);
        text[text.ceil_char_boundary(from)..].to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, or of no more use: either way nothing is left to do about a failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of the files below a folder. A file that was given more room than it uses counts with what it uses.
///
/// # Errors
/// When a folder cannot be read.
pub fn bytes_on_disk(folder: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += match metadata.is_dir() {
            true => bytes_on_disk(&entry.path())?,
            false => metadata.len(),
        };
    }
    Ok(total)
}
