//! The configuration: one TOML file, read once into plain values.
//!
//! Every key has a default, so that no file is needed. Flags of the command line override the file. Durations
//! are texts such as `15d` in the file and milliseconds in the program; sizes are texts such as `512MiB` and
//! bytes. Reading reports every problem it finds, each with its line, and the nearest right spelling.
//! `docs/config.md` is the reference for users and `deploy/barograph.toml` the annotated example.

mod delivery;
mod detector;
mod limits;
mod listen;
mod memory;
mod problem;
mod prometheus_view;
mod promql;
mod retention;
mod rule_files;
mod section;
mod sections;
mod size;
mod sql_users;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barograph_alerts::FilterError;
use barograph_model::MemoryBudget;
use barograph_query::SelectorError;
use toml::de::{DeTable, DeValue};

pub use delivery::{AlertsConfig, ChannelConfig, ChannelKind, RouteConfig};
pub use detector::{DetectorConfig, Transform};
pub use listen::Listen;
pub use problem::{ConfigError, Problem};
pub use promql::PromqlConfig;
pub use retention::{RetentionConfig, RollupConfig};
pub use rule_files::RuleFilesError;
pub use sections::{HttpConfig, IngestConfig, ServerConfig, SqlConfig, StorageConfig, parse_retention_ms};
pub use size::{SizeError, format_size_bytes, parse_size_bytes};

pub use sql_users::{PasswordError, SqlPassword, SqlUser, SqlUserConfig};

use problem::Problems;
pub(crate) use section::nearest;
use section::{Section, type_name};

use crate::tenants::LimitsConfig;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[storage]`
    pub storage: StorageConfig,
    /// `[[retention]]`, in the order of the file.
    pub retention: Vec<RetentionConfig>,
    /// `[rollup]`
    pub rollup: RollupConfig,
    /// `[ingest]`
    pub ingest: IngestConfig,
    /// `[sql]`
    pub sql: SqlConfig,
    /// `[[sql_user]]`, in the order of the file.
    pub sql_users: Vec<SqlUserConfig>,
    /// `[promql]`
    pub promql: PromqlConfig,
    /// `[limits]` and `[[tenant]]`
    pub limits: LimitsConfig,
    /// `[[detector]]`, in the order of the file.
    pub detectors: Vec<DetectorConfig>,
    /// `[alerts]`
    pub alerts: AlertsConfig,
    /// `[[channel]]`, in the order of the file.
    pub channels: Vec<ChannelConfig>,
    /// `[[route]]`, in the order of the file.
    pub routes: Vec<RouteConfig>,
    /// The folder that relative paths of the file start from; the working directory when there is no file.
    pub folder: PathBuf,
}

/// The sections, and whether each may stand several times.
const SECTIONS: [(&str, bool); 15] = [
    ("server", false),
    ("http", false),
    ("storage", false),
    ("retention", true),
    ("rollup", false),
    ("ingest", false),
    ("sql", false),
    ("sql_user", true),
    ("promql", false),
    ("limits", false),
    ("alerts", false),
    ("tenant", true),
    ("detector", true),
    ("channel", true),
    ("route", true),
];

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError::Read`] when the file cannot be read, else as [`Config::parse`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let mut config = Self::parse(&path.display().to_string(), &text)?;
        config.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(config)
    }

    /// Reads a text; `file_name` is what messages call it.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem found. A text that is not TOML gives only the problems of
    /// its syntax, because nothing behind them can be trusted.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, ConfigError> {
        let problems = Problems::new(file_name, text);
        let (document, syntax) = DeTable::parse_recoverable(text);
        for error in &syntax {
            problems.add(error.span().map_or(0, |span| span.start), error.message());
        }
        let mut config = Self::default();
        if problems.is_empty() {
            let document = document.get_ref();
            check_sections(document, &problems);
            config.read(document, &problems);
        }
        problems.finish()?;
        Ok(config)
    }

    /// What the alert store is opened with.
    ///
    /// # Errors
    /// [`FilterError`] when a route's filter does not parse, which reading a file has excluded.
    pub fn alert_options(&self) -> Result<barograph_alerts::Options, FilterError> {
        Ok(barograph_alerts::Options {
            limits: self.alerts.limits.clone(),
            delivery: self.alerts.delivery.clone(),
            routes: self
                .routes
                .iter()
                .map(RouteConfig::to_route)
                .collect::<Result<_, _>>()?,
        })
    }

    /// What the store is opened with.
    ///
    /// # Errors
    /// [`SelectorError`] when a retention's selector does not parse, which reading a file has excluded.
    pub fn engine_options(
        &self,
        memory: &Arc<MemoryBudget>,
    ) -> Result<barograph_engine::Options, SelectorError> {
        let rules = self.retention.iter().map(RetentionConfig::to_rule);
        Ok(barograph_engine::Options {
            retention_rules: rules.collect::<Result<_, _>>()?,
            rollup: self.rollup.options,
            ..self.storage.engine_options(memory)
        })
    }

    fn read(&mut self, document: &DeTable<'_>, problems: &Problems<'_>) {
        let once = |name| tables(document, name, problems).next();
        if let Some(section) = once("server") {
            self.server = ServerConfig::read(section);
        }
        if let Some(section) = once("http") {
            self.http = HttpConfig::read(section);
        }
        if let Some(section) = once("storage") {
            self.storage = StorageConfig::read(section);
        }
        self.retention = tables(document, "retention", problems)
            .filter_map(RetentionConfig::read)
            .collect();
        if let Some(section) = once("rollup") {
            self.rollup = RollupConfig::read(section);
        }
        if let Some(section) = once("ingest") {
            self.ingest = IngestConfig::read(section);
        }
        if let Some(section) = once("sql") {
            self.sql = SqlConfig::read(section);
        }
        self.sql_users = tables(document, "sql_user", problems)
            .filter_map(SqlUserConfig::read)
            .collect();
        report_twice(document, "sql_user", problems);
        if let Some(section) = once("promql") {
            self.promql = PromqlConfig::read(section);
        }
        if let Some(section) = once("limits") {
            limits::read_global(section, &mut self.limits);
        }
        let mut lines = BTreeMap::new();
        for section in tables(document, "tenant", problems) {
            limits::read_tenant(section, &mut lines, &mut self.limits);
        }
        if let Some(section) = once("alerts") {
            self.alerts = AlertsConfig::read(section);
        }
        self.detectors = tables(document, "detector", problems)
            .filter_map(DetectorConfig::read)
            .collect();
        report_twice(document, "detector", problems);
        self.channels = tables(document, "channel", problems)
            .filter_map(ChannelConfig::read)
            .collect();
        report_twice(document, "channel", problems);
        // A route may name a channel that was refused for another reason: one mistake, one message.
        let named: Vec<&str> = names(document, "channel")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        self.routes = tables(document, "route", problems)
            .filter_map(|s| RouteConfig::read(s, &named))
            .collect();
    }
}

/// The tables of a section: one for `[name]`, any number for `[[name]]`.
fn tables<'a>(
    document: &'a DeTable<'a>,
    name: &'static str,
    problems: &'a Problems<'a>,
) -> impl Iterator<Item = Section<'a>> {
    let several = SECTIONS.contains(&(name, true));
    let title = if several {
        format!("[[{name}]]")
    } else {
        format!("[{name}]")
    };
    let values: Vec<_> = match document.get(name).map(|value| (several, value.get_ref(), value)) {
        Some((true, DeValue::Array(array), _)) => array.iter().collect(),
        Some((false, DeValue::Table(_), value)) => vec![value],
        _ => Vec::new(),
    };
    values.into_iter().filter_map(move |value| {
        let table = value.get_ref().as_table()?;
        Some(Section::new(&title, value.span().start, table, problems))
    })
}

/// The names in `[[section]]`, with their places.
fn names<'a>(document: &'a DeTable<'a>, section: &str) -> Vec<(&'a str, usize)> {
    let tables = document.get(section).and_then(|value| value.get_ref().as_array());
    let name = |table: &'a DeTable<'a>| {
        let value = table.get("name")?;
        Some((value.get_ref().as_str()?, value.span().start))
    };
    tables
        .into_iter()
        .flat_map(|array| array.iter())
        .filter_map(|t| name(t.get_ref().as_table()?))
        .collect()
}

fn report_twice(document: &DeTable<'_>, section: &str, problems: &Problems<'_>) {
    let names = names(document, section);
    for (i, (name, offset)) in names.iter().enumerate() {
        if let Some((_, first)) = names[..i].iter().find(|(earlier, _)| earlier == name) {
            let line = problems.line(*first);
            problems.add(
                *offset,
                format!("{section} {name:?} exists already, on line {line} (names are unique)"),
            );
        }
    }
}

/// Reports sections that do not exist, and `[name]` in place of `[[name]]` or the other way round.
fn check_sections(document: &DeTable<'_>, problems: &Problems<'_>) {
    for (name, value) in document {
        let offset = name.span().start;
        let shape = match value.get_ref() {
            DeValue::Table(_) => Some(false),
            DeValue::Array(array) if array.iter().all(|item| item.get_ref().is_table()) => Some(true),
            _ => None,
        };
        let name: &str = name.get_ref();
        match (SECTIONS.iter().find(|(known, _)| *known == name), shape) {
            (Some((_, several)), Some(found)) if found == *several => {}
            (Some((_, true)), _) => problems.add(
                offset,
                format!(
                    "write [[{name}]] with double brackets: there can be several, and this is {}",
                    type_name(value.get_ref())
                ),
            ),
            (Some((_, false)), _) => problems.add(
                offset,
                format!(
                    "write [{name}] with single brackets: it stands once, and this is {}",
                    type_name(value.get_ref())
                ),
            ),
            (None, None) => problems.add(
                offset,
                format!("{name:?} stands before any section; sections are {}", list()),
            ),
            (None, Some(_)) => {
                let advice = match nearest(name, SECTIONS.iter().map(|(known, _)| *known)) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("sections are {}", list()),
                };
                problems.add(offset, format!("there is no section {name:?} ({advice})"));
            }
        }
    }
}

fn list() -> String {
    SECTIONS
        .map(|(name, several)| {
            if several {
                format!("[[{name}]]")
            } else {
                format!("[{name}]")
            }
        })
        .join(", ")
}
