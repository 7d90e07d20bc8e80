//! The arguments of `barograph serve` and `barograph demo`, and how flags override the configuration file.

use std::path::PathBuf;

use barograph_model::parse_duration_ms;
use clap::Args;

use crate::config::{
    Config, ConfigError, Listen, StorageConfig, format_size_bytes, parse_retention_ms, parse_size_bytes,
};

/// Arguments of `barograph serve`. A flag that is given overrides the file.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Where the data is kept; created when it does not exist
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// The configuration (see docs/config.md); every setting has a default
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where HTTP is offered, host:port or off [default: 127.0.0.1:7117]
    #[arg(long, value_name = "ADDR", value_parser = Listen::parse)]
    pub http_listen: Option<Listen>,
    /// Where gRPC is offered, host:port or off [default: 127.0.0.1:7118]
    #[arg(long, value_name = "ADDR", value_parser = Listen::parse)]
    pub grpc_listen: Option<Listen>,
    /// Where SQL is offered to PostgreSQL's clients, host:port or off [default: off]
    #[arg(long, value_name = "ADDR", value_parser = Listen::parse)]
    pub postgres_listen: Option<Listen>,
    /// How long samples are kept [default: 15d]
    #[arg(long, value_name = "DURATION|off", value_parser = parse_retention)]
    pub retention: Option<Retention>,
    /// Memory that the whole program may hold [default: half of the machine's, or of the container's]
    #[arg(long, value_name = "SIZE", value_parser = parse_memory_budget_bytes)]
    pub memory_budget: Option<u64>,
    /// Let snapshots be taken and series be deleted over HTTP, below /api/v1/admin/
    #[arg(long)]
    pub enable_admin_api: bool,
}

/// How long samples are kept; `None` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(pub Option<i64>);

impl ServeArgs {
    /// The file's configuration, or the default without one, with the flags over it.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn to_config(&self) -> Result<Config, ConfigError> {
        let mut config = match &self.config {
            Some(file) => Config::load(file)?,
            None => Config::default(),
        };
        if let Some(listen) = &self.http_listen {
            config.server.http_listen = listen.clone();
        }
        if let Some(listen) = &self.grpc_listen {
            config.server.grpc_listen = listen.clone();
        }
        if let Some(listen) = &self.postgres_listen {
            config.server.postgres_listen = listen.clone();
        }
        if let Some(Retention(retention_ms)) = self.retention {
            config.storage.retention_ms = retention_ms;
        }
        if let Some(bytes) = self.memory_budget {
            config.storage.memory_budget_bytes = Some(bytes);
        }
        config.http.admin_api |= self.enable_admin_api;
        Ok(config)
    }
}

/// Arguments of `barograph demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Where the data is kept
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    pub data_dir: PathBuf,
    /// Where HTTP is offered, host:port or off
    #[arg(long, value_name = "ADDR", value_parser = Listen::parse, default_value = "127.0.0.1:7117")]
    pub http_listen: Listen,
    /// Where gRPC is offered, host:port or off
    #[arg(long, value_name = "ADDR", value_parser = Listen::parse, default_value = "127.0.0.1:7118")]
    pub grpc_listen: Listen,
    /// Where SQL is offered to PostgreSQL's clients, host:port or off
    #[arg(long, value_name = "ADDR", value_parser = Listen::parse, default_value = "off")]
    pub postgres_listen: Listen,
    /// The same seed makes the same fleet
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Days of history to make up
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub days: u32,
    /// Stop after this long, rather than run until Ctrl-C
    #[arg(long = "exit-after", value_name = "DURATION", value_parser = parse_positive_ms)]
    pub exit_after_ms: Option<i64>,
}

fn parse_retention(text: &str) -> Result<Retention, String> {
    parse_retention_ms(text).map(Retention)
}

fn parse_memory_budget_bytes(text: &str) -> Result<u64, String> {
    let least = StorageConfig::MEMORY_BUDGET_BYTES_MIN;
    match parse_size_bytes(text) {
        Ok(bytes) if bytes >= least => Ok(bytes),
        Ok(_) => Err(format!("it must be at least {}", format_size_bytes(least))),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_positive_ms(text: &str) -> Result<i64, String> {
    match parse_duration_ms(text) {
        Ok(ms) if ms > 0 => Ok(ms),
        Ok(_) => Err("it must be longer than 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;

    fn config(flags: &[&str]) -> Config {
        let words = ["barograph", "serve", "--data-dir", "d"].iter().chain(flags);
        let Command::Serve(args) = Cli::parse_from(words).command else {
            panic!("serve")
        };
        args.to_config().unwrap()
    }

    #[test]
    fn flags_override_the_file() {
        assert_eq!(config(&[]), Config::default());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        std::fs::write(
            &file,
            "[server]\nhttp_listen = \"off\"\n[storage]\nretention = \"1d\"\n",
        )
        .unwrap();
        let file = file.to_str().unwrap();
        let read = config(&["--config", file]);
        assert_eq!(
            (&read.server.http_listen, read.storage.retention_ms),
            (&Listen::Off, Some(86_400_000))
        );
        assert_eq!(read.folder, dir.path());
        let read = config(&[
            "--config",
            file,
            "--retention",
            "off",
            "--http-listen",
            "[::1]:1",
            "--memory-budget",
            "2GiB",
        ]);
        assert_eq!(read.server.http_listen.to_string(), "[::1]:1");
        assert_eq!(
            (read.storage.retention_ms, read.storage.memory_budget_bytes),
            (None, Some(2 << 30))
        );
    }
}
