//! `[alerts]`, `[[channel]]` and `[[route]]`: where rules are read from, and where what they find is sent.

use std::collections::BTreeMap;

use barograph_alerts::{DeliveryPolicy, EventFilter, FilterError, Limits, Route};

use super::section::{Section, nearest};
use super::sections::parse_http_url;

/// `[alerts]`: where the rules are, how much is remembered, and how long delivery is tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertsConfig {
    /// `rules`: rule files, relative to the configuration's folder; `*` and `?` in the last part of a path
    /// stand for any text and any character. Default: none.
    pub rules: Vec<String>,
    /// `events` and `events_kept`: how many events the log holds, and for how long (20000, `30d`);
    /// `resolved_kept`: how long a resolved alert stays visible (`1d`); `active_per_rule`: alerts of one rule at
    /// once (10000); `waiting_per_channel`: undelivered events of one channel (10000). The rest is not set here.
    pub limits: Limits,
    /// `first_retry`, `longest_retry`, `give_up_after`: when a failed delivery is tried again (`1s`, doubling up
    /// to `5m`), and when it is given up (`1d`).
    pub delivery: DeliveryPolicy,
}

impl AlertsConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let limits = Limits::default();
        let delivery = DeliveryPolicy::default();
        let count = |key, default: usize| section.integer(key, 1, 10_000_000, default as u64) as usize;
        let config = Self {
            rules: section.texts("rules", "rules/*.yml"),
            limits: Limits {
                events: count("events", limits.events),
                events_kept_ms: section.duration_ms("events_kept", "30d", limits.events_kept_ms),
                resolved_kept_ms: section.duration_ms("resolved_kept", "1d", limits.resolved_kept_ms),
                active_per_rule: count("active_per_rule", limits.active_per_rule),
                waiting_per_channel: count("waiting_per_channel", limits.waiting_per_channel),
                ..limits
            },
            delivery: DeliveryPolicy {
                first_retry_ms: section.duration_ms("first_retry", "1s", delivery.first_retry_ms),
                longest_retry_ms: section.duration_ms("longest_retry", "5m", delivery.longest_retry_ms),
                give_up_after_ms: section.duration_ms("give_up_after", "1d", delivery.give_up_after_ms),
            },
        };
        if config.delivery.longest_retry_ms < config.delivery.first_retry_ms {
            let at = if section.has("longest_retry") {
                "longest_retry"
            } else {
                "first_retry"
            };
            section.problem(at, "longest_retry must not be shorter than first_retry");
        }
        section.finish();
        config
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
    let url = section.required_text("url", "https://example.com/hook")?;
    match parse_http_url(url) {
        Ok(url) => Some(ChannelKind::Webhook {
            url,
            timeout_ms,
            headers,
        }),
        Err(message) => {
            section.problem("url", format!("url {message}"));
            None
        }
    }
}

/// One `[[route]]`: an event goes to the channel of each route whose filter it passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConfig {
    /// `channel`: the name of a `[[channel]]`.
    pub channel: String,
    /// `filter`: conditions on the event with commas between them, such as
    /// `severity=~"P0|P1",label.service=orders`; it parses. Default: empty, everything passes that is notified.
    pub filter: String,
    /// The line of the file on which it begins, for messages.
    pub line: usize,
}

impl RouteConfig {
    /// `None` when it names no channel or one that does not exist; the problem is recorded.
    pub(super) fn read(section: Section<'_>, channels: &[&str]) -> Option<Self> {
        let filter = section.parsed("filter", "severity=~\"P0|P1\"", String::new(), |text| {
            let parsed = EventFilter::parse(text);
            parsed
                .map(|_| text.to_owned())
                .map_err(|error| format!("cannot be used: {error}"))
        });
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

    /// As the alert store wants it.
    ///
    /// # Errors
    /// [`FilterError`] when the filter does not parse, which reading a file has excluded.
    pub fn to_route(&self) -> Result<Route, FilterError> {
        Ok(Route {
            channel: self.channel.clone(),
            filter: EventFilter::parse(&self.filter)?,
        })
    }
}
