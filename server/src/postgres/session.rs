//! What a connection has set, and what ends its query.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barograph_model::parse_duration_ms;
use barograph_query::sql::{Dialect, ScalarValue, SqlRequest};
use pgwire::error::{PgWireError, PgWireResult};
use tokio_util::sync::CancellationToken;

use super::error::statement_error;
use super::named::Named;

/// How often a query looks whether its client is still there.
pub(super) const CLIENT_CHECK: Duration = Duration::from_millis(500);

/// Settings that clients ask for and what is answered until they set them. Only `TimeZone` and `statement_timeout` change
/// anything; the others are kept and shown.
const DEFAULTS: [(&str, &str); 16] = [
    ("application_name", ""),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("search_path", "public, metrics"),
    ("server_encoding", "UTF8"),
    ("server_version", super::startup::SERVER_VERSION),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "repeatable read"),
    ("transaction_read_only", "on"),
];

/// Those that the server decides.
const FIXED: [&str; 7] = [
    "default_transaction_read_only",
    "integer_datetimes",
    "server_encoding",
    "server_version",
    "standard_conforming_strings",
    "transaction_isolation",
    "transaction_read_only",
];

/// Settings of a name that nobody knows; more than these are refused.
const UNKNOWN_MAX: usize = 64;

/// Prepared statements of one connection.
const PREPARED_MAX: usize = 1_000;

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    set: Mutex<BTreeMap<String, String>>,
    /// Names of prepared statements.
    prepared: Mutex<BTreeSet<String>>,
    /// What `PREPARE` has named.
    named: Mutex<BTreeMap<String, Arc<Named>>>,
    /// Of the query that runs.
    query: Mutex<CancellationToken>,
    stop: CancellationToken,
    /// A second handle of the connection, to see whether it is still there.
    socket: TcpStream,
}

impl Session {
    pub(super) fn new(socket: TcpStream, stop: CancellationToken) -> Self {
        Self {
            set: Mutex::default(),
            prepared: Mutex::default(),
            named: Mutex::default(),
            query: Mutex::default(),
            stop,
            socket,
        }
    }

    /// Begins a query: what cancels it.
    pub(super) fn begin(&self) -> CancellationToken {
        let token = self.stop.child_token();
        *locked(&self.query) = token.clone();
        token
    }

    /// Ends the query that runs, if one does.
    pub(super) fn cancel(&self) {
        locked(&self.query).cancel();
    }

    /// Returns when the client has closed the connection.
    pub(super) async fn client_gone(&self) {
        let mut byte = [0];
        loop {
            tokio::time::sleep(CLIENT_CHECK).await;
            // Does not block: the handles of a socket share that.
            if matches!(self.socket.peek(&mut byte), Ok(0)) {
                return;
            }
        }
    }

    /// A request of this session.
    pub(super) fn request(&self, sql: &str, parameters: Vec<ScalarValue>) -> SqlRequest {
        let timeout = self.get("statement_timeout").and_then(|text| timeout(&text).ok());
        SqlRequest {
            sql: sql.to_owned(),
            dialect: Dialect::Postgres,
            parameters,
            timeout: timeout.filter(|timeout| !timeout.is_zero()),
            time_zone: self.get("timezone"),
        }
    }

    /// The value of a setting; `None` where there is none of the name.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let set = locked(&self.set).get(name).cloned();
        set.or_else(|| default(name).map(str::to_owned))
    }

    /// All settings, by name.
    pub(super) fn all(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<_, _> = DEFAULTS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        all.extend(locked(&self.set).clone());
        all
    }

    /// Changes a setting, or with `None` sets it back.
    ///
    /// # Errors
    /// 22023 for values that the setting does not take, 55P02 for what cannot be changed.
    pub(super) fn set(&self, name: &str, value: Option<String>) -> PgWireResult<()> {
        let Some(mut value) = value else {
            locked(&self.set).remove(name);
            return Ok(());
        };
        if FIXED.contains(&name) && default(name) != Some(value.to_lowercase().as_str()) {
            let message = format!("parameter \"{name}\" cannot be changed");
            return Err(statement_error("55P02", &message));
        }
        match name {
            "client_encoding" if !matches!(value.to_uppercase().as_str(), "UTF8" | "UTF-8" | "UNICODE") => {
                return Err(invalid(name, &value, "only UTF8 is spoken"));
            }
            "statement_timeout" => drop(timeout(&value)?),
            "timezone" => value = zone(&value)?,
            _ => {}
        }
        let mut set = locked(&self.set);
        if default(name).is_none() && !set.contains_key(name) && set.len() >= UNKNOWN_MAX + DEFAULTS.len() {
            return Err(statement_error("53400", "too many settings"));
        }
        set.insert(name.to_owned(), value);
        Ok(())
    }

    /// Counts a prepared statement, new or again.
    ///
    /// # Errors
    /// 53400 for one too many.
    pub(super) fn remember(&self, name: &str) -> PgWireResult<()> {
        let mut prepared = locked(&self.prepared);
        if prepared.len() >= PREPARED_MAX && !prepared.contains(name) {
            return Err(too_many_prepared());
        }
        prepared.insert(name.to_owned());
        Ok(())
    }

    /// Names a statement.
    ///
    /// # Errors
    /// 42P05 for a name that is taken, 53400 for one too many.
    pub(super) fn enter_named(&self, name: &str, statement: Named) -> PgWireResult<()> {
        if locked(&self.prepared).contains(name) || locked(&self.named).contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(statement_error("42P05", &message));
        }
        let mut named = locked(&self.named);
        if named.len() >= PREPARED_MAX {
            return Err(too_many_prepared());
        }
        named.insert(name.to_owned(), Arc::new(statement));
        Ok(())
    }

    /// A statement by its name.
    ///
    /// # Errors
    /// 26000 where there is none.
    pub(super) fn named(&self, name: &str) -> PgWireResult<Arc<Named>> {
        locked(&self.named).get(name).cloned().ok_or_else(|| {
            let message = format!("prepared statement \"{name}\" does not exist");
            statement_error("26000", &message)
        })
    }

    /// A prepared statement is gone.
    pub(super) fn forget(&self, name: &str) {
        locked(&self.prepared).remove(name);
        locked(&self.named).remove(name);
    }

    /// All prepared statements, which are to go.
    pub(super) fn forget_all(&self) -> BTreeSet<String> {
        locked(&self.named).clear();
        std::mem::take(&mut locked(&self.prepared))
    }

    /// Sets everything back.
    pub(super) fn reset_all(&self) {
        locked(&self.set).clear();
    }
}

fn too_many_prepared() -> PgWireError {
    let message = format!("{PREPARED_MAX} statements are prepared, which is the limit (DEALLOCATE some)");
    statement_error("53400", &message)
}

fn default(name: &str) -> Option<&'static str> {
    DEFAULTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

fn invalid(name: &str, value: &str, why: &str) -> PgWireError {
    let message = format!("invalid value for parameter \"{name}\": \"{value}\" ({why})");
    statement_error("22023", &message)
}

/// Milliseconds without a unit, as PostgreSQL has it, or a duration such as `5s`; 0 is none.
fn timeout(text: &str) -> PgWireResult<Duration> {
    let compact: String = text.split_whitespace().collect();
    let compact = compact.replace("min", "m");
    let ms = match compact.parse::<u32>() {
        Ok(ms) => Ok(i64::from(ms)),
        Err(_) => parse_duration_ms(&compact),
    };
    match ms.ok().and_then(|ms| u64::try_from(ms).ok()) {
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err(invalid("statement_timeout", text, "try 30000 or '30s'")),
    }
}

/// A zone that the engine knows: a name, or an offset such as `+02:00`. PostgreSQL's other names for UTC are taken too.
fn zone(text: &str) -> PgWireResult<String> {
    let upper = text.to_uppercase();
    if matches!(
        upper.as_str(),
        "UTC" | "ETC/UTC" | "GMT" | "Z" | "ZULU" | "LOCAL" | "0" | "ETC/GMT"
    ) {
        return Ok("UTC".to_owned());
    }
    if let Ok(hours) = text.parse::<i32>()
        && (-15..=15).contains(&hours)
    {
        return Ok(format!(
            "{}{:02}:00",
            if hours < 0 { '-' } else { '+' },
            hours.abs()
        ));
    }
    match barograph_query::sql::is_time_zone(text) {
        true => Ok(text.to_owned()),
        false => Err(invalid("TimeZone", text, "try 'Europe/Berlin' or '+02:00'")),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn session() -> Session {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Session::new(socket, CancellationToken::new())
    }

    #[test]
    fn two_settings_reach_the_engine() {
        let session = session();
        let request = session.request("SELECT 1", Vec::new());
        assert_eq!(
            (request.timeout, request.time_zone.as_deref()),
            (None, Some("UTC"))
        );
        for (text, ms) in [("1500", 1_500), ("2s", 2_000), ("3 min", 180_000), ("250ms", 250)] {
            session.set("statement_timeout", Some(text.to_owned())).unwrap();
            let request = session.request("SELECT 1", Vec::new());
            assert_eq!(request.timeout, Some(Duration::from_millis(ms)), "{text}");
        }
        session.set("statement_timeout", Some("0".to_owned())).unwrap();
        assert_eq!(session.request("SELECT 1", Vec::new()).timeout, None);
        for (text, zone) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("-3", "-03:00"),
            ("gmt", "UTC"),
            ("+05:30", "+05:30"),
        ] {
            session.set("timezone", Some(text.to_owned())).unwrap();
            assert_eq!(session.get("timezone").as_deref(), Some(zone));
        }
        session.set("timezone", None).unwrap();
        assert_eq!(session.get("timezone").as_deref(), Some("UTC"));
    }

    #[test]
    fn wrong_values_are_refused() {
        let session = session();
        for (name, value) in [
            ("statement_timeout", "soon"),
            ("statement_timeout", "-1"),
            ("timezone", "Europe/Atlantis"),
            ("client_encoding", "LATIN1"),
            ("server_version", "9.6"),
            ("transaction_read_only", "off"),
        ] {
            assert!(
                session.set(name, Some(value.to_owned())).is_err(),
                "{name} = {value}"
            );
        }
        session.set("search_path", Some("public".to_owned())).unwrap();
        assert_eq!(session.all()["search_path"], "public");
        session.reset_all();
        assert_eq!(session.all()["search_path"], "public, metrics");
        for i in 0..200 {
            let _ = session.set(&format!("x{i}"), Some("1".to_owned()));
        }
        assert!(session.all().len() < 120);
    }
}
