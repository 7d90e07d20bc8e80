//! Who may cancel what: a cancel request comes on a connection of its own and proves itself with a secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use pgwire::api::cancel::CancelHandler;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;

use super::session::Session;

/// The number of a connection and its secret.
type Key = (i32, Bytes);

/// The connections that have logged in.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<HashMap<Key, Arc<Session>>>);

impl Registry {
    /// Lets a session be cancelled until the guard is dropped.
    pub(super) fn enter(
        self: &Arc<Self>,
        pid: i32,
        secret: &SecretKey,
        session: &Arc<Session>,
    ) -> Registered {
        let key = (pid, secret.to_bytes());
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(key.clone(), Arc::clone(session));
        Registered {
            registry: Arc::clone(self),
            key,
        }
    }
}

/// A place in the registry.
#[derive(Debug)]
pub(super) struct Registered {
    registry: Arc<Registry>,
    key: Key,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut sessions = self.registry.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&self.key);
    }
}

#[async_trait]
impl CancelHandler for Registry {
    async fn on_cancel_request(&self, request: CancelRequest) {
        let key = (request.pid, request.secret_key.to_bytes());
        let session = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        // Whoever guesses is told nothing, as by PostgreSQL.
        if let Some(session) = session {
            session.cancel();
        }
    }
}
