//! The sections that stand once: `[server]`, `[http]`, `[storage]`, `[ingest]`, `[sql]`, `[alerts]`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use barograph_engine::{Fsync, Options};
use barograph_model::{MemoryBudget, MemoryShare, parse_duration_ms};

use super::listen::Listen;
use super::section::Section;
use crate::ingest::IngestLimits;

/// `[server]`: where the program listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// `http_listen`: remote write, SQL, metrics, health. Default `127.0.0.1:7117`.
    pub http_listen: Listen,
    /// `grpc_listen`: the subscription to alerts. Default `127.0.0.1:7118`.
    pub grpc_listen: Listen,
    /// `postgres_listen`: SQL for PostgreSQL's clients. Default `off`.
    pub postgres_listen: Listen,
    /// `external_url`: where people reach this server, for the links in notifications. Default: `http://` and
    /// `http_listen`.
    pub external_url: Option<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            http_listen: Listen::At("127.0.0.1:7117".to_owned()),
            grpc_listen: Listen::At("127.0.0.1:7118".to_owned()),
            postgres_listen: Listen::Off,
            external_url: None,
        }
    }
}

impl ServerConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let default = Self::default();
        let config = Self {
            http_listen: section.parsed(
                "http_listen",
                "127.0.0.1:7117",
                default.http_listen,
                Listen::parse,
            ),
            grpc_listen: section.parsed(
                "grpc_listen",
                "127.0.0.1:7118",
                default.grpc_listen,
                Listen::parse,
            ),
            postgres_listen: section.parsed(
                "postgres_listen",
                "127.0.0.1:7119",
                default.postgres_listen,
                Listen::parse,
            ),
            external_url: section.parsed("external_url", "https://barograph.example.com", None, |text| {
                parse_http_url(text).map(Some)
            }),
        };
        let taken = |address: &str| !address.ends_with(":0");
        let http = (&config.http_listen, "http_listen");
        let grpc = (&config.grpc_listen, "grpc_listen");
        let postgres = (&config.postgres_listen, "postgres_listen");
        for ((listen, key), (other, of)) in [(grpc, http), (postgres, http), (postgres, grpc)] {
            if listen.address().is_some_and(taken) && listen == other {
                section.problem(
                    key,
                    format!("{key} is the same address as {of} (give each its own port)"),
                );
            }
        }
        section.finish();
        config
    }
}

impl ServerConfig {
    /// Where people reach this server; empty when HTTP is off and nothing is set.
    #[must_use]
    pub fn external_url(&self) -> String {
        match (&self.external_url, self.http_listen.address()) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(address)) => format!("http://{address}"),
            (None, None) => String::new(),
        }
    }
}

/// An `http://` or `https://` address with a host.
///
/// # Errors
/// A message that follows the name of the setting.
pub(super) fn parse_http_url(text: &str) -> Result<String, String> {
    match text.parse::<axum::http::Uri>() {
        Ok(uri)
            if matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|h| !h.is_empty()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!(
            "{text:?} is not an http:// or https:// address (try \"https://example.com/hook\")"
        )),
    }
}

/// `[http]`: what may be asked over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpConfig {
    /// `admin_api`: whether snapshots may be taken and series be deleted over HTTP. Default `false`.
    pub admin_api: bool,
}

impl HttpConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let config = Self {
            admin_api: section.boolean("admin_api", false),
        };
        section.finish();
        config
    }
}

/// `[storage]`: how long data stays and how much memory the program may use for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageConfig {
    /// `retention`: older samples are refused and dropped; `off` (`None`) keeps everything. Default `15d`.
    pub retention_ms: Option<i64>,
    /// `future`: samples further ahead of the clock are refused. Default `10m`.
    pub future_ms_max: i64,
    /// `memory_budget`: what the whole process may hold. Default: half of the machine's memory, or of the container's.
    /// At least `64MiB`.
    pub memory_budget_bytes: Option<u64>,
    /// `flush_rows`: rows in memory at which they are written to segments, however few bytes they take. Default:
    /// the memtable's share of `memory_budget` alone decides.
    pub flush_rows: Option<usize>,
    /// `fsync`: `always`, or the longest time from an acknowledgement to its sync, such as `250ms`. Default `always`.
    pub fsync: Fsync,
    /// `min_free_bytes`: writes are refused when less of the disk is free; 0 does not look. Default `256MiB`.
    pub min_free_bytes: u64,
    /// `wal_file`: length of a write-ahead log file. Default: a 32nd of `memory_budget`, between `4MiB` and `128MiB`,
    /// since a replay maps a whole file.
    pub wal_file_bytes: Option<u64>,
    /// `row_group_rows`: rows of a Parquet row group. Default `1048576`.
    pub row_group_rows: usize,
    /// `compaction_memory`: what a merge of segments may take of `memory_budget`. Default: a sixteenth of it.
    pub compaction_memory_bytes: Option<u64>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        let engine = Options::default();
        Self {
            retention_ms: engine.retention_ms,
            future_ms_max: engine.future_ms_max,
            memory_budget_bytes: None,
            flush_rows: None,
            fsync: Fsync::Always,
            min_free_bytes: 256 << 20,
            wal_file_bytes: None,
            row_group_rows: engine.row_group_rows,
            compaction_memory_bytes: None,
        }
    }
}

impl StorageConfig {
    /// The smallest `memory_budget`: below it the program itself and a single flush would not fit.
    pub const MEMORY_BUDGET_BYTES_MIN: u64 = 64 << 20;

    pub(super) fn read(section: Section<'_>) -> Self {
        let default = Self::default();
        let least = Self::MEMORY_BUDGET_BYTES_MIN;
        // 0 is below the least that can be written, so it stands for an absent key.
        let flush_rows = section.integer("flush_rows", 1_000, 1 << 32, 0) as usize;
        let size = |key, example, least| {
            let found = section.size_bytes(key, example, least, 0);
            (found > 0).then_some(found)
        };
        let config = Self {
            retention_ms: section.parsed("retention", "15d", default.retention_ms, parse_retention_ms),
            future_ms_max: section.duration_ms("future", "10m", default.future_ms_max),
            memory_budget_bytes: size("memory_budget", "1GiB", least),
            flush_rows: (flush_rows > 0).then_some(flush_rows),
            fsync: section.parsed("fsync", "always", default.fsync, parse_fsync),
            min_free_bytes: section.size_bytes("min_free_bytes", "1GiB", 0, default.min_free_bytes),
            wal_file_bytes: size("wal_file", "128MiB", 1 << 20),
            row_group_rows: section.integer("row_group_rows", 1_000, 1 << 27, default.row_group_rows as u64)
                as usize,
            compaction_memory_bytes: size("compaction_memory", "128MiB", 1 << 20),
        };
        section.finish();
        config
    }

    /// What the store is opened with, but for the rules of `[[retention]]`: see
    /// [`Config::engine_options`](super::Config::engine_options). It draws from `memory`.
    #[must_use]
    pub(super) fn engine_options(&self, memory: &Arc<MemoryBudget>) -> Options {
        let default = Options::default();
        let wal_file_bytes = self.wal_file_bytes.unwrap_or_else(|| {
            let budget_bytes = memory.total_bytes() as u64;
            (budget_bytes / 32).clamp(4 << 20, default.wal_file_bytes)
        });
        // As much is left for a flush that runs beside the merge.
        let merge_bytes = memory.max_bytes(MemoryShare::Compaction) / 2;
        Options {
            retention_ms: self.retention_ms,
            future_ms_max: self.future_ms_max,
            flush_rows: self.flush_rows.unwrap_or(default.flush_rows),
            fsync: self.fsync,
            free_bytes_min: self.min_free_bytes,
            wal_file_bytes,
            row_group_rows: self.row_group_rows,
            compaction_memory_bytes: self
                .compaction_memory_bytes
                .map_or(merge_bytes, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            memory: Arc::clone(memory),
            ..default
        }
    }
}

/// `always`, or a duration of at most ten seconds.
fn parse_fsync(text: &str) -> Result<Fsync, String> {
    if text == "always" {
        return Ok(Fsync::Always);
    }
    match parse_duration_ms(text) {
        Ok(ms @ 1..=10_000) => Ok(Fsync::Interval(Duration::from_millis(ms.unsigned_abs()))),
        Ok(_) => Err("must be \"always\" or between 1ms and 10s (try \"250ms\")".to_owned()),
        Err(error) => Err(format!("{error}, or \"always\"")),
    }
}

/// A retention: a duration, or `off` (`None`).
///
/// # Errors
/// A message that follows the name of the setting: `"15dd" is not a duration (try "15d")`.
pub fn parse_retention_ms(text: &str) -> Result<Option<i64>, String> {
    if text == "off" {
        return Ok(None);
    }
    match parse_duration_ms(text) {
        Ok(ms) if ms > 0 => Ok(Some(ms)),
        Ok(_) => Err("must be longer than 0 (try \"15d\"; \"off\" keeps everything)".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `[ingest]`: what one request may ask of the program. A request beyond a limit is refused whole.
///
/// `body` (compressed, `16MiB`), `decompressed` (`64MiB`), `samples` of one request (2000000), `in_flight` bytes
/// of all requests at once (`256MiB`), `body_timeout` (`30s`), `labels_per_series` (64), `label_name` (`512B`),
/// `label_value` (`4KiB`), `labels_total` of a series (`16KiB`), `metadata_metrics` (50000).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IngestConfig {
    /// What the edges are given.
    pub limits: IngestLimits,
}

impl IngestConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let mut limits = IngestLimits::default();
        let size = |key, example, least, into: &mut usize| {
            *into = section.size_bytes(key, example, least, *into as u64) as usize;
        };
        let count =
            |key, most, into: &mut usize| *into = section.integer(key, 1, most, *into as u64) as usize;
        size("body", "16MiB", 1024, &mut limits.body_bytes_max);
        size("decompressed", "64MiB", 1024, &mut limits.decompressed_bytes_max);
        count("samples", 1 << 30, &mut limits.samples_max);
        size("in_flight", "256MiB", 1 << 20, &mut limits.in_flight_bytes_max);
        let timeout_ms = i64::try_from(limits.body_timeout.as_millis()).unwrap_or(i64::MAX);
        let timeout_ms = section.duration_ms("body_timeout", "30s", timeout_ms);
        limits.body_timeout = Duration::from_millis(timeout_ms.unsigned_abs());
        count("labels_per_series", 65_535, &mut limits.labels.count_max);
        size("label_name", "512B", 16, &mut limits.labels.name_bytes_max);
        size("label_value", "4KiB", 16, &mut limits.labels.value_bytes_max);
        size("labels_total", "16KiB", 64, &mut limits.labels.total_bytes_max);
        count("metadata_metrics", 10_000_000, &mut limits.metadata.metrics_max);
        if limits.decompressed_bytes_max < limits.body_bytes_max {
            let at = if section.has("decompressed") {
                "decompressed"
            } else {
                "body"
            };
            section.problem(
                at,
                "decompressed must not be less than body, or no request of that length could be read",
            );
        }
        if limits.in_flight_bytes_max < limits.request_bytes_max() {
            let at = if section.has("in_flight") {
                "in_flight"
            } else {
                "decompressed"
            };
            section.problem(
                at,
                "in_flight must not be less than body and twice decompressed together",
            );
        }
        section.finish();
        Self { limits }
    }
}

/// `[sql]`: what one query may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlConfig {
    /// `timeout`: a query is cancelled after it. Default `30s`.
    pub timeout_ms: i64,
    /// `memory`: of all queries together. Default: half of `memory_budget`.
    pub memory_bytes: Option<u64>,
    /// `concurrency`: queries that run at once; more wait. Default `4`.
    pub concurrency: usize,
    /// `copy_folder`: where `COPY (query) TO 'file'` may create files, relative to the configuration's own folder. Without it
    /// `COPY` is refused.
    pub copy_folder: Option<PathBuf>,
}

impl Default for SqlConfig {
    fn default() -> Self {
        Self {
            timeout_ms: 30_000,
            memory_bytes: None,
            concurrency: 4,
            copy_folder: None,
        }
    }
}

impl SqlConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let default = Self::default();
        // 0 is below the least that can be written, so it stands for an absent key.
        let memory_bytes = section.size_bytes("memory", "512MiB", 16 << 20, 0);
        let copy_folder = section.text("copy_folder", "exports");
        if copy_folder.is_some_and(|path| path.trim().is_empty()) {
            section.problem(
                "copy_folder",
                "copy_folder is empty (leave it out to refuse COPY)",
            );
        }
        let config = Self {
            timeout_ms: section.duration_ms("timeout", "30s", default.timeout_ms),
            memory_bytes: (memory_bytes > 0).then_some(memory_bytes),
            concurrency: section.integer("concurrency", 1, 1_000, default.concurrency as u64) as usize,
            copy_folder: copy_folder.map(PathBuf::from),
        };
        section.finish();
        config
    }
}
