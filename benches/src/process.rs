//! A program that is measured: started, watched through `/proc`, stopped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::connection::Connection;
use crate::stopwatch::Stopwatch;

/// The unit of CPU times in `/proc`: on Linux a hundredth of a second on every machine.
const TICKS_PER_SECOND: f64 = 100.0;
const READY_PATIENCE: Duration = Duration::from_secs(300);
const STOP_PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(2);
/// What is shown of the log of a program that failed.
const LOG_BYTES_SHOWN: usize = 2_000;

/// A program that runs. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Running {
    /// Starts a program with its output in a file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(name: &str, mut command: Command, log: PathBuf) -> Result<Self> {
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
    /// When the program ends, or is not ready after five minutes.
    pub(crate) fn ready(&mut self, host: SocketAddr, path: &str, since: &Stopwatch) -> Result<f64> {
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

    /// What it has used so far.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }

    /// The most memory it has held, in bytes.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub(crate) fn peak_bytes(&self) -> Result<f64> {
        let text = read_proc(self.child.id(), "status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        Ok(kib.context("/proc/PID/status has no VmHWM")? * 1024.0)
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// When it fails, or does not end within five minutes.
    pub(crate) fn stop(mut self) -> Result<Stopped> {
        let since = Stopwatch::start();
        self.signal("TERM")?;
        // Until it is waited for, what it used in the end can be read.
        while !has_ended(self.child.id())? {
            if since.elapsed() > STOP_PATIENCE {
                bail!("{} still runs {STOP_PATIENCE:?} after SIGTERM", self.name);
            }
            std::thread::sleep(POLL);
        }
        let seconds = since.seconds();
        let usage = self.usage()?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("{} ended with {status}:\n{}", self.name, self.log_tail());
        }
        Ok(Stopped { seconds, usage })
    }

    /// Ends it as a power cut would, but for what the operating system has already taken.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) fn kill(mut self) -> Result<()> {
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

/// What a process has used, all its threads together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// In user and in system mode.
    pub(crate) cpu_seconds: f64,
    /// Bytes of pages that it made the system write, or that the system still has to (`write_bytes` of
    /// `/proc/PID/io`): whole pages, and again after each time they reached the disk.
    pub(crate) written_bytes: f64,
}

impl Usage {
    /// Of a process, which may have ended if nobody has waited for it.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = read_proc(pid, "stat")?;
        let ticks = after_name(&stat)?
            .split(' ')
            .skip(11)
            .take(2)
            .map(str::parse::<f64>);
        let io = read_proc(pid, "io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        Ok(Self {
            cpu_seconds: ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND,
            written_bytes: written.context("/proc/PID/io has no write_bytes")?.parse()?,
        })
    }

    /// What was used since an earlier moment.
    #[must_use]
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - earlier.cpu_seconds,
            written_bytes: self.written_bytes - earlier.written_bytes,
        }
    }

    /// With what another process used.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds + other.cpu_seconds,
            written_bytes: self.written_bytes + other.written_bytes,
        }
    }
}

/// A program that ended as it was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopped {
    /// From SIGTERM to the end.
    pub(crate) seconds: f64,
    /// Of its whole life.
    pub(crate) usage: Usage,
}

fn has_ended(pid: u32) -> Result<bool> {
    Ok(after_name(&read_proc(pid, "stat")?)?.starts_with('Z'))
}

/// The fields of `/proc/PID/stat` from the third on; the name before them stands in parentheses and may hold spaces.
fn after_name(stat: &str) -> Result<&str> {
    Ok(stat.rsplit_once(") ").context("/proc/PID/stat has no name")?.1)
}

fn read_proc(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}
