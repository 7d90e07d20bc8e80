use std::sync::Arc;

use barograph_engine::Fsync;
use barograph_model::{MemoryBudget, MemoryShare};

use super::*;
use crate::tenants::{TenantId, TenantLimits};

/// What reading a text complains about, a line each.
fn problems(text: &str) -> Vec<String> {
    match Config::parse("config.toml", text) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(problems(text), expected, "\n{text}");
}

#[test]
fn no_file_and_an_empty_file_are_the_same() {
    let config = Config::default();
    for text in ["", "[server]\n[storage]\n[ingest]\n[sql]\n[alerts]\n"] {
        assert_eq!(Config::parse("config.toml", text).unwrap(), config);
    }
    assert_eq!(config.server.http_listen.to_string(), "127.0.0.1:7117");
    assert_eq!(config.storage.retention_ms, Some(15 * 86_400_000));
    assert_eq!(config.limits, LimitsConfig::default());
}

#[test]
fn rollups_are_kept_as_long_as_samples_or_longer_or_not_made() {
    use barograph_engine::RollupKeep;
    let keep = |text: &str| {
        let options = Config::parse("config.toml", text).unwrap().rollup.options;
        (options.five_minutes, options.one_hour)
    };
    assert_eq!(keep(""), (RollupKeep::AsRows, RollupKeep::AsRows));
    let (day_ms, off) = (86_400_000, RollupKeep::Off);
    let text = "[rollup]\nfive_minutes = \"90d\"\none_hour = \"off\"\n";
    assert_eq!(keep(text), (RollupKeep::AtLeast(90 * day_ms), off));
    assert_eq!(keep("[rollup]\none_hour = \"rows\"\n").1, RollupKeep::AsRows);
    let error = Config::parse("config.toml", "[rollup]\none_hour = \"30m\"\n").unwrap_err();
    let expected = "config.toml:2: one_hour must be longer than a bucket (try \"2y\"";
    assert!(error.to_string().contains(expected), "{error}");
    let error = Config::parse("config.toml", "[rollup]\nfive_minutes = \"90dd\"\n").unwrap_err();
    assert!(error.to_string().contains("\"off\" makes none"), "{error}");
}

#[test]
fn retentions_are_rules_in_the_order_of_the_file() {
    let text = "[[retention]]\nselector = '{job=\"debug\"}'\nkeep = \"2d\"\n\n[[retention]]\nselector = \"up\"\nkeep = \"off\"\n";
    let rules = Config::parse("config.toml", text)
        .unwrap()
        .engine_options(&Arc::new(MemoryBudget::unlimited()))
        .unwrap()
        .retention_rules;
    let shown: Vec<_> = rules
        .iter()
        .map(|rule| (rule.matchers[0].to_string(), rule.keep_ms))
        .collect();
    let expected = [
        (r#"job="debug""#, Some(2 * 86_400_000)),
        (r#"__name__="up""#, None),
    ];
    assert_eq!(
        shown,
        expected.map(|(matcher, keep_ms)| (matcher.to_owned(), keep_ms))
    );
    check(
        "[[retention]]\nselector = \"up\"\n",
        &["config.toml:1: [[retention]] needs keep, such as keep = \"2d\""],
    );
    check(
        "[[retention]]\nselector = \"{}\"\nkeep = \"2dd\"\n",
        &[
            "config.toml:2: selector cannot be used: \"{}\" is a selector of every series, not a plain selector (write it as metric{label=\"value\"})",
            "config.toml:3: keep \"2dd\" is not a duration (try \"2d\")",
        ],
    );
}

#[test]
fn reads_every_key() {
    let config = Config::parse("config.toml", include_str!("../../../deploy/barograph.toml")).unwrap();
    assert_eq!(config.server.grpc_listen, Listen::At("127.0.0.1:7118".to_owned()));
    assert_eq!(config.storage, StorageConfig::default());
    assert_eq!(config.limits, LimitsConfig::default());
    assert_eq!(config.ingest, IngestConfig::default());
    assert_eq!(config.sql.timeout_ms, 30_000);
    let detector = &config.detectors[1];
    assert_eq!(
        (detector.name.as_str(), detector.kind.as_str()),
        ("gateway-requests", "seasonal")
    );
    assert_eq!(
        (detector.transform, detector.step_ms, detector.history_ms),
        (Transform::Rate, 60_000, 14 * 86_400_000)
    );
    assert_eq!(detector.params["alarms_per_day"], "0.5");
    assert_eq!(config.alerts.rules, ["rules/*.yml"]);
    let ChannelKind::Webhook {
        url,
        timeout_ms,
        headers,
    } = &config.channels[0].kind
    else {
        panic!("a webhook")
    };
    assert_eq!(
        (url.as_str(), *timeout_ms),
        ("http://127.0.0.1:9099/alerts", 10_000)
    );
    assert_eq!(headers["Authorization"], "Bearer change-me");
    assert_eq!(config.channels[1].kind, ChannelKind::Log);
    assert_eq!(config.routes[0].channel, "oncall");
    assert_eq!(config.routes[0].filter, "severity=~\"P0|P1\"");
}

#[test]
fn off_and_sizes() {
    let text = "[storage]\nretention = \"off\"\nmemory_budget = 134217728\nflush_rows = 5000\n[sql]\nmemory = \"64MiB\"\n\
                [server]\ngrpc_listen = \"off\"\n";
    let config = Config::parse("config.toml", text).unwrap();
    assert_eq!(config.storage.retention_ms, None);
    let memory = Arc::new(config.memory_budget());
    assert_eq!(memory.total_bytes(), 128 << 20);
    assert_eq!(memory.max_bytes(MemoryShare::Queries), 64 << 20);
    let options = config.storage.engine_options(&memory);
    assert_eq!((options.flush_rows, options.wal_file_bytes), (5000, 4 << 20));
    assert_eq!(config.server.grpc_listen, Listen::Off);
}

#[test]
fn wrong_values_name_line_and_remedy() {
    check(
        "\n\n[storage]\nretention = \"15dd\"",
        &["config.toml:4: retention \"15dd\" is not a duration (try \"15d\")"],
    );
    check(
        "[storage]\nretention = \"0\"",
        &["config.toml:2: retention must be longer than 0 (try \"15d\"; \"off\" keeps everything)"],
    );
    check(
        "[storage]\nmemory_budget = \"512M\"",
        &["config.toml:2: memory_budget \"512M\" is not a size (try \"512MiB\")"],
    );
    check(
        "[storage]\nmemory_budget = \"1MiB\"",
        &["config.toml:2: memory_budget must be at least 64MiB"],
    );
    check(
        "[storage]\nmemory_budget = 5",
        &["config.toml:2: memory_budget = 5 must be at least 67108864"],
    );
    check(
        "[server]\nhttp_listen = \":7117\"",
        &["config.toml:2: http_listen \":7117\" is not an address (try \"0.0.0.0:7117\", or \"off\")"],
    );
    check(
        "[server]\nhttp_listen = \"127.0.0.1:7118\"",
        &["config.toml:1: grpc_listen is the same address as http_listen (give each its own port)"],
    );
    check(
        "[sql]\nconcurrency = 0",
        &["config.toml:2: concurrency = 0 must be between 1 and 1000"],
    );
    check(
        "[sql]\nconcurrency = 99999999999999999999",
        &["config.toml:2: concurrency = 99999999999999999999 must be between 1 and 1000"],
    );
    check(
        "[ingest]\nbody = \"100MiB\"",
        &[
            "config.toml:2: decompressed must not be less than body, or no request of that length could be read",
        ],
    );
}

#[test]
fn wrong_types_name_line_and_example() {
    check(
        "[server]\nhttp_listen = 7117",
        &["config.toml:2: http_listen takes a text such as \"127.0.0.1:7117\", not an integer"],
    );
    check(
        "[sql]\nconcurrency = \"4\"",
        &["config.toml:2: concurrency takes an integer, not a text"],
    );
    check(
        "[alerts]\nrules = \"a.yml\"",
        &["config.toml:2: rules takes a list of texts such as [\"rules/*.yml\"], not a text"],
    );
    check(
        "[alerts]\nrules = [\n  \"a.yml\",\n  3,\n]",
        &["config.toml:4: rules takes a list of texts such as [\"rules/*.yml\"], not an integer"],
    );
    check(
        "[[detector]]\nname = \"a\"\nkind = \"seasonal\"\nselector = \"up\"\nparams = { a = [1] }",
        &["config.toml:5: a takes a text, a decimal number or true/false, not a list"],
    );
}

#[test]
fn unknown_names_give_the_nearest() {
    check(
        "[storage]\nretenton = \"15d\"",
        &["config.toml:2: [storage] has no key \"retenton\" (did you mean \"retention\"?)"],
    );
    check(
        "[sql]\nwarp = 9",
        &["config.toml:2: [sql] has no key \"warp\" (it takes memory, copy_folder, timeout, concurrency)"],
    );
    check(
        "[sever]",
        &["config.toml:1: there is no section \"sever\" (did you mean \"server\"?)"],
    );
    check(
        "retention = \"15d\"",
        &[
            "config.toml:1: write [[retention]] with double brackets: there can be several, and this is a text",
        ],
    );
    check(
        "[channel]\nname = \"a\"",
        &["config.toml:1: write [[channel]] with double brackets: there can be several, and this is a table"],
    );
    check(
        "[[server]]",
        &["config.toml:1: write [server] with single brackets: it stands once, and this is a list"],
    );
    check(
        "[[channel]]\nname = \"a\"\nkind = \"webhok\"\nurl = \"http://x\"",
        &[
            "config.toml:3: kind \"webhok\" does not exist (try \"webhook\"; there are \"webhook\" and \"log\")",
        ],
    );
    check(
        "[[channel]]\nname = \"a\"\nkind = \"log\"\nurl = \"http://x\"",
        &["config.toml:4: [[channel]] has no key \"url\" (it takes name, kind)"],
    );
    check(
        "[[detector]]\nname = \"a\"\nkind = \"seasonal\"\nselector = \"up\"\ntransform = \"rates\"",
        &[
            "config.toml:5: transform \"rates\" does not exist (try \"rate\"; there are \"value\" and \"rate\")",
        ],
    );
}

#[test]
fn references_are_checked() {
    let channels = "[[channel]]\nname = \"oncall\"\nkind = \"log\"\n";
    check(
        &format!("{channels}[[route]]\nchannel = \"oncal\""),
        &["config.toml:5: route to channel \"oncal\", which does not exist (did you mean \"oncall\"?)"],
    );
    check(
        &format!("{channels}[[route]]\nchannel = \"pager\""),
        &["config.toml:5: route to channel \"pager\", which does not exist (there are: oncall)"],
    );
    check(
        "[[route]]\nchannel = \"pager\"",
        &["config.toml:2: route to channel \"pager\", which does not exist (there is no [[channel]] yet)"],
    );
    check(
        "[[route]]\n",
        &["config.toml:1: [[route]] needs channel, such as channel = \"oncall\""],
    );
    check(
        &format!("{channels}{channels}"),
        &["config.toml:5: channel \"oncall\" exists already, on line 2 (names are unique)"],
    );
    let detector = "[[detector]]\nname = \"a\"\nkind = \"seasonal\"\nselector = \"up\"\n";
    check(
        &format!("{detector}{detector}"),
        &["config.toml:6: detector \"a\" exists already, on line 2 (names are unique)"],
    );
}

#[test]
fn detectors_are_checked() {
    let detector =
        |kind, rest| format!("[[detector]]\nname = \"a\"\nkind = \"{kind}\"\nselector = \"up\"\n{rest}");
    let found = problems(&detector("seasonl", ""));
    assert!(
        found[0].starts_with("config.toml:3: detector \"seasonl\" does not exist (did you mean"),
        "{found:?}"
    );
    let found = problems(&detector("seasonal", "params = { alarm_per_day = 1 }"));
    assert!(
        found[0].starts_with("config.toml:5: detector seasonal has no parameter \"alarm_per_day\""),
        "{found:?}"
    );
    let found = problems(&detector("seasonal", "params = { alarms_per_day = -1 }"));
    assert!(
        found[0].starts_with("config.toml:5: ") && found[0].contains("alarms_per_day"),
        "{found:?}"
    );
    check(
        &detector("seasonal", "step = \"1h\"\nhistory = \"1m\""),
        &["config.toml:6: history must not be shorter than step"],
    );
}

#[test]
fn channels_are_checked() {
    let webhook = |rest: &str| format!("[[channel]]\nname = \"a\"\nkind = \"webhook\"\n{rest}");
    check(
        &webhook(""),
        &["config.toml:1: [[channel]] needs url, such as url = \"https://example.com/hook\""],
    );
    check(
        &webhook("url = \"example.com\""),
        &[
            "config.toml:4: url \"example.com\" is not an http:// or https:// address (try \"https://example.com/hook\")",
        ],
    );
    check(
        &webhook("url = \"http://a\"\nheaders = { \"a b\" = \"c\" }"),
        &["config.toml:5: \"a b\" cannot be the name of an HTTP header"],
    );
    check(
        &webhook("url = \"http://a\"\nheaders = { a = \"b\\nc\" }"),
        &["config.toml:5: the value of header a holds characters that HTTP does not allow"],
    );
}

#[test]
fn limits_for_all_for_each_and_for_one() {
    let text = "[limits]\nseries_max = 1000000\ntenants_max = 5\n[[tenant]]\nid = \"*\"\nsamples_per_second = 1000\n\
                samples_burst = 5000\n[[tenant]]\nid = \"team-a\"\nlabel_value_bytes_max = \"1KiB\"\n\
                new_series_per_minute = 60\n";
    let limits = Config::parse("config.toml", text).unwrap().limits;
    assert_eq!(
        (limits.global.series_max, limits.tenants_max),
        (Some(1_000_000), 5)
    );
    assert_eq!(
        (limits.each.samples_per_second, limits.each.samples_burst),
        (Some(1000), Some(5000))
    );
    let team = TenantLimits {
        label_value_bytes_max: Some(1024),
        new_series_per_minute: Some(60),
        ..TenantLimits::default()
    };
    assert_eq!(
        limits.tenants.into_iter().collect::<Vec<_>>(),
        [(TenantId::parse("team-a").unwrap(), team)]
    );
    check(
        "[limits]\nseries_max = 0",
        &["config.toml:2: series_max = 0 must be between 1 and 9007199254740992"],
    );
    check(
        "[limits]\nsamples_burst = 10",
        &["config.toml:2: samples_burst has no meaning without samples_per_second"],
    );
    check(
        "[[tenant]]\nid = \"a\"\n[[tenant]]\nid = \"a\"",
        &["config.toml:4: tenant \"a\" exists already, on line 1 (ids are unique)"],
    );
    check(
        "[[tenant]]\nid = \"a|b\"",
        &["config.toml:2: id names several tenants; a write belongs to one (send a request for each)"],
    );
    check(
        "[[tenant]]\nseries_max = 1",
        &["config.toml:1: [[tenant]] needs id, such as id = \"team-a\""],
    );
}

#[test]
fn syncs_always_or_at_intervals() {
    let fsync = |text: &str| Config::parse("c", text).unwrap().storage.fsync;
    assert_eq!(fsync(""), Fsync::Always);
    assert_eq!(fsync("[storage]\nfsync = \"always\""), Fsync::Always);
    let interval = Fsync::Interval(std::time::Duration::from_millis(250));
    assert_eq!(fsync("[storage]\nfsync = \"250ms\""), interval);
    check(
        "[storage]\nfsync = \"1h\"",
        &["config.toml:2: fsync must be \"always\" or between 1ms and 10s (try \"250ms\")"],
    );
    check(
        "[storage]\nfsync = \"never\"",
        &["config.toml:2: fsync \"never\" is not a duration (try \"5m\"), or \"always\""],
    );
}

#[test]
fn requests_shrink_with_the_budget() {
    let within = |budget: &str| {
        let config = Config::parse("c", &format!("[storage]\nmemory_budget = \"{budget}\"\n")).unwrap();
        let memory = config.memory_budget();
        let limits = config.ingest_limits(&memory);
        assert!(limits.request_bytes_max() <= limits.in_flight_bytes_max);
        assert!(limits.in_flight_bytes_max <= memory.max_bytes(MemoryShare::Ingest));
        limits
    };
    assert_eq!(within("8GiB"), IngestConfig::default().limits);
    let small = within("64MiB");
    assert_eq!(
        (
            small.in_flight_bytes_max,
            small.decompressed_bytes_max,
            small.body_bytes_max
        ),
        (8 << 20, 2 << 20, 2 << 20)
    );
    assert_eq!(small.samples_max, 131_072);
}

#[test]
fn several_problems_at_once_in_order() {
    check(
        "[[route]]\nchannel = \"x\"\n[storage]\nretention = 15\nfuture = \"-1m\"\n[sql]\ntimout = \"1s\"",
        &[
            "config.toml:2: route to channel \"x\", which does not exist (there is no [[channel]] yet)",
            "config.toml:4: retention takes a text such as \"15d\", not an integer",
            "config.toml:5: future \"-1m\" is not a duration (try \"5m\")",
            "config.toml:7: [sql] has no key \"timout\" (did you mean \"timeout\"?)",
        ],
    );
}

#[test]
fn broken_toml_names_the_line() {
    let found = problems("[server]\nhttp_listen = \n[storage\n");
    assert!(found[0].starts_with("config.toml:2: "), "{found:?}");
    assert!(
        found.iter().any(|line| line.starts_with("config.toml:3: ")),
        "{found:?}"
    );
    let found = problems("[sql]\ntimeout = \"1s\"\ntimeout = \"2s\"\n");
    assert_eq!(found, ["config.toml:3: duplicate key"]);
}

#[test]
fn a_missing_file_is_named() {
    let message = Config::load(Path::new("no/such.toml")).unwrap_err().to_string();
    assert!(message.starts_with("cannot read no/such.toml: "), "{message}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]a-z\"= .\n0-9{}#é]{0,200}") {
        let _ = Config::parse("config.toml", &text);
    }
}
