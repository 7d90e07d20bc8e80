//! Asks a server over `POST /api/v1/sql`. Dropping an answer closes its connection, which cancels the query.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::StreamDecoder;
use bytes::Bytes;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;

use super::SqlFailure;
use crate::channels::install_crypto_provider;

/// The beginning of an unexpected answer that is shown.
const SHOWN_CHARS: usize = 300;

/// A server.
#[derive(Debug)]
pub(in crate::cli) struct Remote {
    client: Client,
    url: Url,
}

impl Remote {
    /// Checks the address; nothing is sent yet.
    pub(super) fn new(url: &str) -> Result<Self, SqlFailure> {
        let refused = |reason: String| SqlFailure::Url {
            url: url.to_owned(),
            reason,
        };
        let with_scheme = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let mut parsed = Url::parse(&with_scheme).map_err(|error| refused(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none_or(str::is_empty) {
            return Err(refused("it must begin with http:// or https://".to_owned()));
        }
        let path = format!("{}/api/v1/sql", parsed.path().trim_end_matches('/'));
        parsed.set_path(&path);
        install_crypto_provider();
        let client = Client::builder()
            .user_agent(concat!("barograph/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { client, url: parsed })
    }

    fn shown(&self) -> String {
        self.url.as_str().trim_end_matches("/api/v1/sql").to_owned()
    }

    /// Sends a query; `format` is the server's name of it. An error status becomes an error here.
    pub(super) async fn post(&self, query: &str, format: &str) -> Result<Response, SqlFailure> {
        let body = serde_json::json!({ "query": query, "format": format });
        let response = self
            .client
            .post(self.url.clone())
            .json(&body)
            .send()
            .await
            .map_err(|error| SqlFailure::Unreachable {
                url: self.shown(),
                reason: innermost(&error),
            })?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        Err(failure(&self.shown(), status, &text))
    }
}

/// The error in an answer, `{"error":{"code","message","hint"}}`, or the beginning of whatever it is.
fn failure(url: &str, status: StatusCode, text: &str) -> SqlFailure {
    #[derive(Deserialize)]
    struct Answer {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        code: String,
        message: String,
        hint: Option<String>,
    }
    match serde_json::from_str::<Answer>(text) {
        Ok(Answer { error }) => SqlFailure::Query {
            code: error.code,
            message: error.message,
            hint: error.hint,
        },
        Err(_) => SqlFailure::Status {
            url: url.to_owned(),
            status: status.as_u16(),
            body: text.trim().chars().take(SHOWN_CHARS).collect(),
        },
    }
}

/// The cause at the bottom: "connection refused" rather than "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// The next bytes of an answer.
pub(super) async fn chunk(response: &mut Response) -> Result<Option<Bytes>, SqlFailure> {
    response.chunk().await.map_err(|error| SqlFailure::BrokeOff {
        reason: innermost(&error),
    })
}

/// The batches of an answer in the Arrow IPC stream format, as they arrive.
#[derive(Debug)]
pub(in crate::cli) struct Batches {
    response: Response,
    decoder: StreamDecoder,
    /// Bytes that arrived and are not decoded yet.
    pending: Buffer,
}

impl Batches {
    pub(super) fn new(response: Response) -> Self {
        Self {
            response,
            decoder: StreamDecoder::new(),
            pending: Buffer::from(Vec::<u8>::new()),
        }
    }

    /// The columns, once the first bytes are decoded; without columns before that.
    pub(super) fn schema(&self) -> SchemaRef {
        self.decoder.schema().unwrap_or_else(|| Arc::new(Schema::empty()))
    }

    /// The next batch; `None` after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>, SqlFailure> {
        let broke_off = |error: arrow::error::ArrowError| SqlFailure::BrokeOff {
            reason: error.to_string(),
        };
        loop {
            while !self.pending.is_empty() {
                if let Some(batch) = self.decoder.decode(&mut self.pending).map_err(broke_off)? {
                    return Ok(Some(batch));
                }
            }
            match chunk(&mut self.response).await? {
                Some(bytes) => self.pending = Buffer::from(bytes),
                None => {
                    self.decoder.finish().map_err(broke_off)?;
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let url = |text: &str| Remote::new(text).map(|remote| remote.url.to_string());
        assert_eq!(url("http://a:1").unwrap(), "http://a:1/api/v1/sql");
        assert_eq!(url("a:1").unwrap(), "http://a:1/api/v1/sql");
        assert_eq!(
            url("https://a/barograph/").unwrap(),
            "https://a/barograph/api/v1/sql"
        );
        for bad in ["ftp://a", "http://", "http://[::1", ""] {
            let message = url(bad).unwrap_err().to_string();
            assert!(message.contains("is not the address of a server"), "{message}");
        }
    }

    #[test]
    fn errors_of_the_server_are_read() {
        let text = r#"{"error":{"code":"unknown_table","message":"there is no table \"upp\"","hint":"did you mean up?"}}"#;
        let failure_text = failure("http://a", StatusCode::NOT_FOUND, text).to_string();
        assert_eq!(failure_text, "there is no table \"upp\" (did you mean up?)");
        let failure_text = failure("http://a", StatusCode::BAD_GATEWAY, "<html>no</html>").to_string();
        assert_eq!(failure_text, "http://a answered 502: <html>no</html>");
    }
}
