//! The configuration as Prometheus' API shows one: a YAML text, and flags. Nothing secret is in either.

use std::collections::BTreeMap;
use std::path::Path;

use barograph_model::format_duration_ms;
use serde_json::Value;

use super::Config;

impl Config {
    /// What `/api/v1/status/config` shows: the keys of Prometheus' own configuration that have a counterpart here.
    #[must_use]
    pub fn to_prometheus_yaml(&self) -> String {
        let mut text = String::from("global:\n  evaluation_interval: 1m\n");
        let files = &self.alerts.rules;
        if !files.is_empty() {
            text.push_str("rule_files:\n");
            for file in files {
                // A text in JSON is one in YAML.
                text.push_str(&format!("- {}\n", Value::from(file.as_str())));
            }
        }
        if let Some(retention_ms) = self.storage.retention_ms {
            let retention = format_duration_ms(retention_ms);
            text.push_str(&format!(
                "storage:\n  tsdb:\n    retention:\n      time: {retention}\n"
            ));
        }
        text
    }

    /// What `/api/v1/status/flags` shows: the flags of Prometheus that have a counterpart here.
    #[must_use]
    pub fn to_prometheus_flags(&self, data_dir: &Path) -> BTreeMap<String, String> {
        let promql = &self.promql;
        let features = [
            (
                promql.parse.experimental_functions,
                "promql-experimental-functions",
            ),
            (promql.parse.duration_expressions, "promql-duration-expr"),
            (
                promql.parse.extended_range_selectors,
                "promql-extended-range-selectors",
            ),
            (promql.parse.fill_modifiers, "promql-binop-fill-modifiers"),
        ];
        let enabled: Vec<&str> = features
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| *name)
            .collect();
        let listen = self.server.http_listen.address().unwrap_or("off");
        // Prometheus writes "keep everything" as 0s.
        let retention = self
            .storage
            .retention_ms
            .map_or_else(|| "0s".to_owned(), format_duration_ms);
        let flags = [
            ("enable-feature", enabled.join(",")),
            ("query.lookback-delta", format_duration_ms(promql.lookback_ms)),
            ("query.max-samples", promql.samples_max.to_string()),
            ("query.timeout", format_duration_ms(promql.timeout_ms)),
            ("storage.tsdb.path", data_dir.display().to_string()),
            ("storage.tsdb.retention.time", retention),
            ("web.enable-admin-api", self.http.admin_api.to_string()),
            ("web.enable-lifecycle", "true".to_owned()),
            ("web.enable-remote-write-receiver", "true".to_owned()),
            ("web.listen-address", listen.to_owned()),
        ];
        flags.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_prometheus_has_and_no_secret() {
        let text = r#"
[storage]
retention = "15d"
[promql]
experimental_functions = true
timeout = "30s"
[[channel]]
name = "hook"
kind = "webhook"
url = "https://a/secret-path"
"#;
        let config = Config::parse("a.toml", text).unwrap();
        let (yaml, flags) = (
            config.to_prometheus_yaml(),
            config.to_prometheus_flags(Path::new("d")),
        );
        assert!(yaml.contains("time: 15d"), "{yaml}");
        assert_eq!(flags["query.timeout"], "30s");
        assert_eq!(flags["enable-feature"], "promql-experimental-functions");
        assert!(!format!("{yaml}{flags:?}").contains("secret"));
    }
}
