//! Asks a server over Prometheus' API.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::Value;

use super::PromqlFailure;
use crate::channels::install_crypto_provider;

/// The beginning of an unexpected answer that is shown.
const SHOWN_CHARS: usize = 300;

/// A server.
pub(super) struct Remote {
    client: Client,
    url: Url,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// All of it, as it came.
    pub(super) text: String,
    /// Its `data`.
    pub(super) data: Value,
    pub(super) warnings: Vec<String>,
    pub(super) infos: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    data: Option<Value>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

impl Remote {
    /// Checks the address; nothing is sent yet.
    pub(super) fn new(url: &str) -> Result<Self, PromqlFailure> {
        let refused = |reason: String| PromqlFailure::Url {
            url: url.to_owned(),
            reason,
        };
        let with_scheme = match url.contains("://") {
            true => url.to_owned(),
            false => format!("http://{url}"),
        };
        let parsed = Url::parse(&with_scheme).map_err(|error| refused(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none_or(str::is_empty) {
            return Err(refused("it must begin with http:// or https://".to_owned()));
        }
        install_crypto_provider();
        let client = Client::builder()
            .user_agent(concat!("barograph/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { client, url: parsed })
    }

    /// Sends a query as a form and reads the whole answer.
    pub(super) async fn post(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Answer, PromqlFailure> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let sent = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
            .send();
        let response = sent.await.map_err(|error| PromqlFailure::Unreachable {
            url: self.url.as_str().trim_end_matches('/').to_owned(),
            reason: innermost(&error),
        })?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| PromqlFailure::Answer {
            reason: innermost(&error),
        })?;
        self.read(status, text)
    }

    fn read(&self, status: u16, text: String) -> Result<Answer, PromqlFailure> {
        let Ok(envelope) = serde_json::from_str::<Envelope>(&text) else {
            return Err(PromqlFailure::Status {
                url: self.url.as_str().trim_end_matches('/').to_owned(),
                status,
                body: text.trim().chars().take(SHOWN_CHARS).collect(),
            });
        };
        match (envelope.status.as_str(), envelope.data) {
            ("success", Some(data)) => Ok(Answer {
                data,
                warnings: envelope.warnings,
                infos: envelope.infos,
                text,
            }),
            _ => Err(PromqlFailure::Query {
                message: envelope
                    .error
                    .unwrap_or_else(|| format!("the server answered {status}")),
            }),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let remote = Remote::new("a:1").unwrap();
        let good = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]},"warnings":["w"]}"#;
        let answer = remote.read(200, good.to_owned()).unwrap();
        assert_eq!(
            (&answer.data["result"][1], answer.warnings.len()),
            (&Value::from("2"), 1)
        );
        let bad = r#"{"status":"error","errorType":"bad_data","error":"1:5: parse error"}"#;
        assert_eq!(
            remote.read(400, bad.to_owned()).unwrap_err().to_string(),
            "1:5: parse error"
        );
        let other = remote.read(404, "<html>".to_owned()).unwrap_err().to_string();
        assert_eq!(other, "http://a:1 answered 404: <html>");
        assert!(Remote::new("ftp://a").is_err());
    }
}
