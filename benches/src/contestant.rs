//! What takes the samples: Barograph, and what it is held against.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `barograph serve`, with its defaults: synced before each acknowledgement.
    Barograph,
    /// Prometheus as a remote write receiver: acknowledges before it is on disk.
    Prometheus,
    /// VictoriaMetrics, one node: acknowledges before it is on disk.
    VictoriaMetrics,
}

/// In what a question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `POST /api/v1/sql`.
    Sql,
    /// `/api/v1/query` and its sisters.
    PromQl,
}

/// A program that can be started.
#[derive(Debug, Clone)]
pub struct Contestant {
    /// Which one.
    pub kind: Kind,
    /// Its executable.
    pub path: PathBuf,
    /// Its version, as the program or the package says.
    pub version: String,
}

impl Contestant {
    /// The binary of this repository: `given`, or what lies beside the bench's own executable.
    ///
    /// # Errors
    /// When it is not there.
    pub fn barograph(given: Option<&Path>) -> Result<Self> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => std::env::current_exe()
                .context("where this bench lies")?
                .with_file_name("barograph"),
        };
        if !path.is_file() {
            bail!(
                "there is no {}; build it with `cargo build --release -p barograph`, or name it with --barograph",
                path.display()
            );
        }
        let version = first_line(Command::new(&path).arg("--version"))
            .with_context(|| format!("{} does not run; build it again", path.display()))?;
        Ok(Self {
            kind: Kind::Barograph,
            version: version.trim_start_matches("barograph ").to_owned(),
            path,
        })
    }

    /// A peer, if it is installed.
    #[must_use]
    pub fn installed(kind: Kind) -> Option<Self> {
        let name = kind.program();
        let package =
            first_line(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", name]));
        Some(Self {
            kind,
            path: find_program(name)?,
            version: package.unwrap_or_else(|| "of unknown version".to_owned()),
        })
    }

    /// How it is started on a data folder. `folder` holds the folder and the files that it needs beside.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn command(&self, folder: &Path, listen: SocketAddr) -> Result<Command> {
        let data = self.data(folder);
        let mut command = Command::new(&self.path);
        match self.kind {
            Kind::Barograph => {
                command.arg("serve").arg("--data-dir").arg(data);
                command.args(["--http-listen", &listen.to_string(), "--grpc-listen", "off"]);
            }
            Kind::Prometheus => {
                let config = folder.join("prometheus.yml");
                std::fs::write(&config, "global: {}\n")
                    .with_context(|| format!("cannot write {}", config.display()))?;
                command.arg(format!("--config.file={}", config.display()));
                command.arg(format!("--storage.tsdb.path={}", data.display()));
                command.arg(format!("--web.listen-address={listen}"));
                // The second lets a snapshot be taken, which is what its data weighs in blocks.
                command.args(["--web.enable-remote-write-receiver", "--web.enable-admin-api"]);
                command.arg("--log.level=warn");
            }
            Kind::VictoriaMetrics => {
                command.arg(format!("-storageDataPath={}", data.display()));
                command.arg(format!("-httpListenAddr={listen}"));
                command.args(["-retentionPeriod=1", "-loggerLevel=WARN"]);
                // Limits that a query of everything would meet, and a pause after which samples are shown to
                // queries, which would count as slowness: none of it makes it slower.
                command.args(["-search.maxUniqueTimeseries=5000000", "-search.maxSeries=5000000"]);
                command.arg("-search.latencyOffset=1s");
                command.args(["-search.maxQueryDuration=2m", "-search.maxQueryLen=1MB"]);
            }
        }
        Ok(command)
    }

    /// Where it keeps its data.
    #[must_use]
    pub fn data(&self, folder: &Path) -> PathBuf {
        folder.join("data")
    }
}

impl Kind {
    /// The name of the executable, and of Debian's package.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Barograph => "barograph",
            Self::Prometheus => "prometheus",
            Self::VictoriaMetrics => "victoria-metrics",
        }
    }

    /// Answers 200 when it takes samples.
    #[must_use]
    pub fn ready_path(self) -> &'static str {
        match self {
            Self::Barograph | Self::Prometheus => "/-/ready",
            Self::VictoriaMetrics => "/health",
        }
    }

    /// The languages it is asked in. The first is the one that stands beside those of the others.
    #[must_use]
    pub fn languages(self) -> &'static [Language] {
        match self {
            Self::Barograph => &[Language::PromQl, Language::Sql],
            Self::Prometheus | Self::VictoriaMetrics => &[Language::PromQl],
        }
    }

    /// Takes remote write.
    #[must_use]
    pub fn write_path(self) -> &'static str {
        "/api/v1/write"
    }
}

/// An address of this machine on which nothing listens.
///
/// # Errors
/// When the system gives none.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}

/// A program of this machine.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut folders = std::env::split_paths(&path);
    folders.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file()))
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}
