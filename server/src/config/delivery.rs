//! `[alerts]`, `[[channel]]` and `[[route]]`: where rules are read from, and where what they find is sent.

use std::collections::BTreeMap;

use super::section::{Section, nearest};

/// `[alerts]`: where the rules are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertsConfig {
    /// `rules`: rule files, relative to the configuration's folder; `*` and `?` in the last part of a path
    /// stand for any text and any character. Default: none.
    pub rules: Vec<String>,
}

impl AlertsConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let rules = section.texts("rules", "rules/*.yml");
        section.finish();
        Self { rules }
    }
}

/// Where a channel sends to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelKind {
    /// An HTTP POST of JSON.
    Webhook {
        /// `url`: `http://` or `https://`.
        url: String,
        /// `timeout`: of one attempt. Default `10s`.
        timeout_ms: i64,
        /// `headers`: sent with each request, such as `{ Authorization = "Bearer ..." }`. Default: none.
        headers: BTreeMap<String, String>,
    },
    /// A line in the program's own log.
    Log,
}

/// One `[[channel]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    /// `name`: what routes call it; unique.
    pub name: String,
    /// `kind`: `webhook` or `log`, with its own keys.
    pub kind: ChannelKind,
    /// The line of the file on which it begins, for messages.
    pub line: usize,
}

const KINDS: [&str; 2] = ["webhook", "log"];

impl ChannelConfig {
    /// `None` when it lacks what it cannot do without; the problem is recorded.
    pub(super) fn read(section: Section<'_>) -> Option<Self> {
        let name = section.required_text("name", "oncall").map(str::to_owned);
        let kind = match section.required_text("kind", "webhook") {
            Some("webhook") => read_webhook(&section),
            Some("log") => Some(ChannelKind::Log),
            Some(other) => {
                let hint = nearest(other, KINDS).unwrap_or("webhook");
                section.problem(
                    "kind",
                    format!(
                        "kind {other:?} does not exist (try {hint:?}; there are \"webhook\" and \"log\")"
                    ),
                );
                // Without a kind its keys cannot be judged; the kind comes first.
                return None;
            }
            None => return None,
        };
        let line = section.line();
        section.finish();
        Some(Self {
            name: name?,
            kind: kind?,
            line,
        })
    }
}

fn read_webhook(section: &Section<'_>) -> Option<ChannelKind> {
    let timeout_ms = section.duration_ms("timeout", "10s", 10_000);
    let mut headers = BTreeMap::new();
    for (name, (value, at)) in section.pairs("headers") {
        if axum::http::HeaderName::try_from(name.as_str()).is_err() {
            section.problem_at(at, format!("{name:?} cannot be the name of an HTTP header"));
        } else if axum::http::HeaderValue::try_from(value.as_str()).is_err() {
            section.problem_at(
                at,
                format!("the value of header {name} holds characters that HTTP does not allow"),
            );
        } else {
            headers.insert(name, value);
        }
    }
    let example = "https://example.com/hook";
    let url = section.required_text("url", example)?;
    match url.parse::<axum::http::Uri>() {
        Ok(uri)
            if matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|h| !h.is_empty()) =>
        {
            Some(ChannelKind::Webhook {
                url: url.to_owned(),
                timeout_ms,
                headers,
            })
        }
        _ => {
            section.problem(
                "url",
                format!("url {url:?} is not an http:// or https:// address (try {example:?})"),
            );
            None
        }
    }
}

/// One `[[route]]`: an event goes to the channel of each route whose filter it passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConfig {
    /// `channel`: the name of a `[[channel]]`.
    pub channel: String,
    /// `filter`: conditions on the event as in a PromQL selector, separated by commas, such as
    /// `severity=~"P0|P1", service="orders"`. Default: empty, everything passes.
    pub filter: String,
    /// The line of the file on which it begins, for messages.
    pub line: usize,
}

impl RouteConfig {
    /// `None` when it names no channel or one that does not exist; the problem is recorded.
    pub(super) fn read(section: Section<'_>, channels: &[&str]) -> Option<Self> {
        let filter = section
            .text("filter", "severity=~\"P0|P1\"")
            .unwrap_or_default()
            .to_owned();
        let channel = section.required_text("channel", "oncall");
        let line = section.line();
        if let Some(name) = channel.filter(|name| !channels.contains(name)) {
            let advice = match nearest(name, channels.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None if channels.is_empty() => "there is no [[channel]] yet".to_owned(),
                None => format!("there are: {}", channels.join(", ")),
            };
            section.problem(
                "channel",
                format!("route to channel {name:?}, which does not exist ({advice})"),
            );
        }
        section.finish();
        Some(Self {
            channel: channel?.to_owned(),
            filter,
            line,
        })
    }
}
