//! Who may come in: everybody where no users are configured, or else those who prove by SCRAM-SHA-256 that they know the password,
//! which never travels.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use futures::Sink;
use pgwire::api::auth::sasl::SASLAuthStartupHandler;
use pgwire::api::auth::sasl::scram::{SCRAM_ITERATIONS, ScramAuth, gen_salted_password, random_nonce};
use pgwire::api::auth::{
    AuthSource, LoginInfo, Password, ServerParameterProvider, StartupHandler, finish_authentication,
    protocol_negotiation, save_startup_parameters_to_metadata,
};
use pgwire::api::{ClientInfo, METADATA_USER, PidSecretKeyGenerator, RandomPidSecretKeyGenerator};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use crate::config::SqlUser;

/// What clients take the server for. Drivers look at the number before they use a feature.
pub(super) const SERVER_VERSION: &str = concat!("16.6 (Barograph ", env!("CARGO_PKG_VERSION"), ")");

/// Numbers and secrets of connections.
static KEYS: LazyLock<Arc<RandomPidSecretKeyGenerator>> = LazyLock::new(Arc::default);

/// What is known of a user's password: enough to check a proof.
#[derive(Debug)]
struct Salted {
    salt: Vec<u8>,
    password: Vec<u8>,
}

impl Salted {
    fn new(password: &str) -> Self {
        let salt = random_nonce().into_bytes();
        let password = gen_salted_password(password, &salt, SCRAM_ITERATIONS);
        Self { salt, password }
    }
}

/// Those who may log in.
#[derive(Debug)]
pub(super) struct Users {
    by_name: HashMap<String, Salted>,
    /// For names that nobody has, so that they cannot be told from wrong passwords.
    nobody: Salted,
}

impl Users {
    pub(super) fn new(users: &[SqlUser]) -> Self {
        let by_name = users
            .iter()
            .map(|user| (user.name.clone(), Salted::new(&user.password)));
        Self {
            by_name: by_name.collect(),
            nobody: Salted::new(&random_nonce()),
        }
    }
}

#[async_trait]
impl AuthSource for Users {
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<Password> {
        let salted = login
            .user()
            .and_then(|user| self.by_name.get(user))
            .unwrap_or(&self.nobody);
        Ok(Password::new(Some(salted.salt.clone()), salted.password.clone()))
    }
}

/// What a client is told when it is let in.
#[derive(Debug)]
pub(super) struct Parameters;

impl ServerParameterProvider for Parameters {
    fn server_parameters<C: ClientInfo>(&self, client: &C) -> Option<HashMap<String, String>> {
        let metadata = client.metadata();
        let own = |name: &str| metadata.get(name).cloned().unwrap_or_default();
        let parameters = [
            ("server_version", SERVER_VERSION.to_owned()),
            ("server_encoding", "UTF8".to_owned()),
            ("client_encoding", "UTF8".to_owned()),
            ("DateStyle", "ISO, MDY".to_owned()),
            ("IntervalStyle", "postgres".to_owned()),
            ("TimeZone", "UTC".to_owned()),
            ("integer_datetimes", "on".to_owned()),
            ("standard_conforming_strings", "on".to_owned()),
            ("default_transaction_read_only", "on".to_owned()),
            ("in_hot_standby", "off".to_owned()),
            ("is_superuser", "off".to_owned()),
            ("search_path", "public, metrics".to_owned()),
            ("application_name", own("application_name")),
            ("session_authorization", own(METADATA_USER)),
        ];
        Some(parameters.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

/// The beginning of one connection.
pub(super) struct Startup {
    /// Where users are configured.
    sasl: Option<SASLAuthStartupHandler<Parameters>>,
}

impl Startup {
    pub(super) fn new(users: &Arc<Users>) -> Self {
        let sasl = (!users.by_name.is_empty()).then(|| {
            SASLAuthStartupHandler::new(Arc::new(Parameters))
                .with_scram(ScramAuth::new(Arc::clone(users) as _))
                .with_pid_secret_key_generator(Arc::clone(&*KEYS) as _)
        });
        Self { sasl }
    }
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if let Some(sasl) = &self.sasl {
            return sasl.on_startup(client, message).await;
        }
        let PgWireFrontendMessage::Startup(startup) = message else {
            return Ok(());
        };
        protocol_negotiation(client, &startup).await?;
        save_startup_parameters_to_metadata(client, &startup);
        let (pid, secret) = KEYS.generate(client);
        client.set_pid_and_secret_key(pid, secret);
        finish_authentication(client, &Parameters).await
    }
}
