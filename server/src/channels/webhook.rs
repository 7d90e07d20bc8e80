//! An HTTP POST of [`Payload`] to a URL.
//!
//! What an outcome means:
//! - 2xx: delivered;
//! - 5xx, 408, 429, and no connection: the receiver does not have it, try again, after `Retry-After` if given;
//! - other statuses, redirects among them: refused, repeating changes nothing;
//! - the connection broke or time ran out after the request began to go out: unknown.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barograph_model::Clock;
use chrono::DateTime;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use thiserror::Error;

use super::{Channel, Notification, Payload, Sent, install_crypto_provider};

/// Of a receiver's answer this much is shown in a reason.
const ANSWER_BYTES_MAX: usize = 512;

/// How a webhook is called.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// `http://` or `https://`.
    pub url: String,
    /// For a whole attempt, from connecting to the end of the answer.
    pub timeout: Duration,
    /// Sent with each request, such as `Authorization`.
    pub headers: BTreeMap<String, String>,
    /// Where people reach this server; stands in the body.
    pub external_url: String,
}

/// Why a webhook cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// A header that HTTP does not allow.
    #[error("channel {channel:?}: header {name:?} or its value holds characters that HTTP does not allow")]
    Header {
        /// The channel.
        channel: String,
        /// The header.
        name: String,
    },
    /// The HTTP client did not start.
    #[error(
        "channel {channel:?}: the HTTP client cannot be made (are the system's CA certificates installed?): {source}"
    )]
    Client {
        /// The channel.
        channel: String,
        /// What the client said.
        source: reqwest::Error,
    },
}

/// Posts to one URL; keeps connections open between notifications.
#[derive(Debug)]
pub struct WebhookChannel {
    name: String,
    options: WebhookOptions,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl WebhookChannel {
    /// A channel of this name. The clock reads `Retry-After` dates.
    ///
    /// # Errors
    /// [`WebhookError`] for headers that HTTP does not allow, or when TLS cannot be set up.
    pub fn new(name: &str, options: WebhookOptions, clock: Arc<dyn Clock>) -> Result<Self, WebhookError> {
        install_crypto_provider();
        let mut headers = HeaderMap::new();
        for (header, value) in &options.headers {
            let pair = HeaderName::try_from(header.as_str())
                .ok()
                .zip(HeaderValue::try_from(value.as_str()).ok());
            let error = || WebhookError::Header {
                channel: name.to_owned(),
                name: header.clone(),
            };
            let (header, mut value) = pair.ok_or_else(error)?;
            // Headers carry credentials; this keeps them out of logs.
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let client = Client::builder()
            .default_headers(headers)
            .timeout(options.timeout)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("Barograph/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| WebhookError::Client {
                channel: name.to_owned(),
                source,
            })?;
        Ok(Self {
            name: name.to_owned(),
            options,
            client,
            clock,
        })
    }

    async fn judge(&self, mut response: Response) -> Sent {
        let status = response.status();
        if status.is_success() {
            return Sent::Delivered;
        }
        let mut reason = format!("the receiver answered {status}");
        if status.is_redirection() {
            reason.push_str("; redirects are not followed, configure the final URL");
        }
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| self.retry_after(value));
        let answer = read_start(&mut response).await;
        if !answer.is_empty() {
            reason.push_str(": ");
            reason.push_str(&answer);
        }
        let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        if status.is_server_error() || again.contains(&status) {
            Sent::Failed { reason, retry_after }
        } else {
            Sent::Refused { reason }
        }
    }

    /// Seconds, or a date (RFC 9110, section 10.2.3). A date in the past asks for nothing.
    fn retry_after(&self, value: &HeaderValue) -> Option<Duration> {
        let text = value.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let at_ms = DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
        u64::try_from(at_ms.saturating_sub(self.clock.now().0))
            .ok()
            .map(Duration::from_millis)
    }
}

#[async_trait]
impl Channel for WebhookChannel {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, notification: Notification<'_>) -> Sent {
        let payload = Payload::new(notification.event, &self.name, &self.options.external_url);
        let body = match serde_json::to_vec(&payload) {
            Ok(body) => body,
            Err(error) => {
                return Sent::Refused {
                    reason: format!("the event has no JSON form: {error}"),
                };
            }
        };
        let request = self
            .client
            .post(&self.options.url)
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", notification.idempotency_key)
            .body(body);
        match request.send().await {
            Ok(response) => self.judge(response).await,
            // Nothing has been sent before there is a connection.
            Err(error) if error.is_connect() => Sent::Failed {
                reason: chain(error),
                retry_after: None,
            },
            Err(error) if error.is_builder() => Sent::Refused { reason: chain(error) },
            Err(error) => Sent::Unknown { reason: chain(error) },
        }
    }
}

/// The first bytes of an answer as one line; what cannot be read is left out, since the status has been.
async fn read_start(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(ANSWER_BYTES_MAX);
    let text = String::from_utf8_lossy(&bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An error with what is behind it; reqwest's own text stops at "error sending request". Without the URL, which
/// may hold a secret and which the channel's name stands for.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = if error.is_timeout() {
        "time ran out: ".to_owned()
    } else {
        String::new()
    };
    text.push_str(&error.to_string());
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
