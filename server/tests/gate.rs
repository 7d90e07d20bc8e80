//! A server in front of Barograph that answers late, and not at all once a client has saved how far it has come: what the
//! client has sent is then stored and not acknowledged, and the client is certain to be in the middle when it is killed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::response::{IntoResponse, Response};

/// By how much each answer to a write is later than the one before: a client that saves once a second has then saved
/// before its fifth answer, however fast it is.
const LATE: Duration = Duration::from_millis(300);

/// How often it is looked whether answers may go on.
const LOOK: Duration = Duration::from_millis(10);

const BODY_BYTES_MAX: usize = 64 << 20;

/// The gate, for as long as the test's runtime runs.
pub struct Gate {
    pub url: String,
    keeper: Arc<Keeper>,
}

struct Keeper {
    barograph: String,
    client: reqwest::Client,
    /// The file in which the client saves how far it has come.
    saved: PathBuf,
    /// What was in it when the client was killed last; empty before that.
    seen: Mutex<Vec<u8>>,
    is_open: AtomicBool,
    /// Held by the answer that is next.
    turn: tokio::sync::Mutex<()>,
}

impl Gate {
    /// Passes on to a Barograph what a client sends that saves in a file.
    pub async fn new(barograph: String, saved: PathBuf) -> Self {
        let keeper = Arc::new(Keeper {
            barograph,
            client: reqwest::Client::new(),
            saved,
            seen: Mutex::new(Vec::new()),
            is_open: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(()),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&keeper));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, keeper }
    }

    /// Whether the client has saved since it was killed last. From then on it gets no answer.
    pub fn has_saved(&self) -> bool {
        self.keeper.has_saved()
    }

    /// The client was killed: the next one is answered until it saves in its turn.
    pub fn client_was_killed(&self) {
        *self.keeper.seen.lock().unwrap() = self.keeper.read();
    }

    /// From now on every answer is passed on at once.
    pub fn open(&self) {
        self.keeper.is_open.store(true, Ordering::SeqCst);
    }
}

impl Keeper {
    fn read(&self) -> Vec<u8> {
        std::fs::read(&self.saved).unwrap_or_default()
    }

    fn has_saved(&self) -> bool {
        let saved = self.read();
        !saved.is_empty() && saved != *self.seen.lock().unwrap()
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::SeqCst)
    }

    async fn hold(&self) {
        if self.is_open() {
            return;
        }
        let _turn = self.turn.lock().await;
        tokio::time::sleep(LATE).await;
        while !self.is_open() && self.has_saved() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn pass(State(keeper): State<Arc<Keeper>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    // A client that is killed may leave half a body.
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    for own in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
        head.headers.remove(own);
    }
    let sent = keeper
        .client
        .request(head.method, format!("{}{}", keeper.barograph, head.uri))
        .headers(head.headers)
        .body(body);
    let Ok(answer) = sent.send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for own in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(own);
    }
    let Ok(body) = answer.bytes().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    if head.uri.path() == "/api/v1/write" {
        keeper.hold().await;
    }
    (status, headers, body).into_response()
}
