//! Runs the scripts of `testdata/state`.
//!
//! ```text
//! rules NAME           the following indented lines are a rule file; the first one is loaded at the start
//! limit NAME N         sets active, resolved, resolved_kept_s or failures
//! at TIME RULE: FINDING; FINDING => EVENT; EVENT
//! at TIME load NAME => EVENT; EVENT
//! at TIME expire => EVENT
//! alerts STATE label=value ...; STATE ...      all visible alerts, in order
//! ```
//!
//! A finding is `label=value ... NUMBER`, `calm label=value ...` or `failed TEXT`; `none` finds nothing. Of an
//! event or alert the script names the kind, and of the rest what matters: labels, `value=`, `since=`, `rule=`,
//! `severity=`, `note=` (an annotation). The number of events must be right.

use std::collections::{BTreeMap, BTreeSet};

use barograph_model::{Labels, TimestampMs, format_duration_ms, parse_duration_ms};

use crate::{AlertStore, Event, Finding, Outcome, RuleSet, Transaction};

#[test]
fn scripts() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/state");
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert!(names.len() >= 8, "scripts are missing from {dir}");
    for path in names {
        let text = std::fs::read_to_string(&path).unwrap();
        Script::default().run(&path.display().to_string(), &text);
    }
}

#[derive(Default)]
struct Script {
    store: AlertStore,
    sets: BTreeMap<String, RuleSet>,
    loaded: RuleSet,
}

impl Script {
    fn run(mut self, name: &str, text: &str) {
        let lines: Vec<_> = text.lines().collect();
        let mut i = 0;
        while i < lines.len() {
            let place = format!("{name}:{}", i + 1);
            let line = lines[i].split(" # ").next().unwrap().trim_end();
            i += 1;
            let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
            match command {
                "" | "#" => {}
                "rules" => {
                    let body = lines[i..]
                        .iter()
                        .take_while(|line| line.is_empty() || line.starts_with(' '));
                    let body: Vec<_> = body.copied().collect();
                    i += body.len();
                    let set = RuleSet::parse(&place, &body.join("\n")).unwrap();
                    if self.sets.is_empty() {
                        self.loaded = set.clone();
                    }
                    self.sets.insert(rest.to_owned(), set);
                }
                "limit" => self.limit(rest),
                "at" => self.step(&place, rest),
                "alerts" => self.alerts(&place, rest),
                other => panic!("{place}: unknown command {other:?}"),
            }
        }
    }

    fn limit(&mut self, rest: &str) {
        let (name, number) = rest.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        let mut options = self.store.options().clone();
        match name {
            "active" => options.limits.active_per_rule = number,
            "resolved" => options.limits.resolved_per_rule = number,
            "resolved_kept_s" => options.limits.resolved_kept_ms = number as i64 * 1_000,
            "failures" => options.limits.failures_before_event = number as u32,
            other => panic!("unknown limit {other:?}"),
        }
        self.store.set_options(options);
    }

    fn step(&mut self, place: &str, rest: &str) {
        let (action, expected) = rest.split_once("=>").unwrap_or((rest, ""));
        let (time, action) = action.trim().split_once(' ').unwrap();
        let now = TimestampMs(parse_duration_ms(time).unwrap());
        let transaction = if let Some(name) = action.strip_prefix("load ") {
            self.loaded = self.sets[name.trim()].clone();
            self.store.plan_removed_rules(now, &self.loaded)
        } else if action == "expire" {
            self.store.plan_expiry(now)
        } else {
            let (rule, findings) = action.split_once(':').unwrap();
            let rule = self
                .loaded
                .rules()
                .find(|r| r.name == rule)
                .unwrap_or_else(|| panic!("{place}: {rule}"));
            self.store.plan(now, rule, &outcome(findings))
        };
        let events: Vec<_> = transaction.events().map(|event| event_words(event)).collect();
        check(place, expected, &events);
        self.store
            .apply(&Transaction::from_record(&transaction.to_record()).unwrap())
            .unwrap();
        // At every step the whole state survives a checkpoint.
        let again =
            AlertStore::from_checkpoint(&self.store.to_checkpoint(), self.store.options().clone()).unwrap();
        assert_eq!(again.to_checkpoint(), self.store.to_checkpoint(), "{place}");
    }

    fn alerts(&self, place: &str, expected: &str) {
        let words = self.store.active().map(|alert| {
            let mut words = label_words(alert.labels);
            words.insert(alert.state.as_str().to_owned());
            words.insert(format!("value={}", alert.value));
            words.insert(format!("since={}", format_duration_ms(alert.since.0)));
            words.insert(format!("rule={}", alert.rule));
            words
        });
        check(place, expected, &words.collect::<Vec<_>>());
    }
}

fn outcome(text: &str) -> Outcome {
    let (mut findings, mut calm, mut is_judged) = (Vec::new(), Vec::new(), false);
    for part in text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty() && *part != "none")
    {
        if let Some(error) = part.strip_prefix("failed ") {
            return Outcome::Failed(error.to_owned());
        }
        if part == "judged" {
            is_judged = true;
        } else if let Some(series) = part.strip_prefix("calm ") {
            is_judged = true;
            calm.push(labels(series.split(' ')));
        } else {
            let (series, value) = part.rsplit_once(' ').unwrap_or(("", part));
            let value = value
                .parse()
                .unwrap_or_else(|_| panic!("{part:?} ends with a number"));
            findings.push(Finding {
                labels: labels(series.split(' ')),
                value,
                evidence: part.to_owned(),
            });
        }
    }
    if is_judged {
        Outcome::Judged { findings, calm }
    } else {
        Outcome::Findings(findings)
    }
}

fn labels<'a>(words: impl Iterator<Item = &'a str>) -> Labels {
    Labels::from_pairs(
        words
            .filter(|word| !word.is_empty())
            .map(|word| word.split_once('=').unwrap()),
    )
    .unwrap()
}

fn label_words(labels: &Labels) -> BTreeSet<String> {
    labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn event_words(event: &Event) -> BTreeSet<String> {
    let mut words = label_words(&event.labels);
    words.insert(event.kind.to_string());
    words.insert(format!("value={}", event.value));
    words.insert(format!("since={}", format_duration_ms(event.since.0)));
    words.insert(format!("rule={}", event.rule));
    words.insert(format!("severity={}", event.severity));
    if let Some(note) = event.annotations.get("note") {
        words.insert(format!("note={note}"));
    }
    words
}

fn check(place: &str, expected: &str, found: &[BTreeSet<String>]) {
    let wanted: Vec<_> = expected
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    assert_eq!(
        wanted.len(),
        found.len(),
        "{place}: expected {wanted:?}, found {found:#?}"
    );
    for (part, words) in wanted.iter().zip(found) {
        for word in part.split(' ') {
            assert!(words.contains(word), "{place}: {word:?} is not in {words:?}");
        }
    }
}
