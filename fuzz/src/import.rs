//! Texts that are imported.

use std::collections::BTreeMap;
use std::fmt::Write;

use barograph::cli::import::{Format, TextSeries, read_text};
use barograph_model::Labels;

/// Reads a text to its first bad line, which is named, and again without its bad lines. What is read can be written as a
/// dump, and is read from that as it was.
pub(crate) fn text(bytes: &[u8], format: Format) {
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
    match read_text("fuzzed", &mut &bytes[..], format, false) {
        Ok((series, bad)) => {
            assert_eq!(bad, 0, "a bad line is an error");
            again(&series);
        }
        Err(error) => {
            let error = error.to_string();
            let line = error
                .strip_prefix("fuzzed:")
                .and_then(|rest| rest.split_once(": ")?.0.parse::<u64>().ok());
            assert!(
                line.is_some_and(|line| line <= lines),
                "an error names its line: {error}"
            );
        }
    }
    match read_text("fuzzed", &mut &bytes[..], format, true) {
        Ok((series, bad)) => {
            assert!(bad <= lines);
            again(&series);
        }
        Err(error) => panic!("bad lines are left out, and no line is too long: {error}"),
    }
}

fn again(series: &[TextSeries]) {
    let dump = dump(series);
    match read_text("again", &mut dump.as_bytes(), Format::Dump, false) {
        Ok((read, _)) => assert_eq!(merged(&read), merged(series), "{dump}"),
        Err(error) => panic!("{error}: {dump}"),
    }
}

/// The text of `promtool tsdb dump`, with the escapes of Go.
fn dump(series: &[TextSeries]) -> String {
    let mut text = String::new();
    for (labels, samples) in series {
        let pair = |(name, value): (&str, &str)| format!("{}={}", quoted(name), quoted(value));
        let labels: Vec<String> = labels.iter().map(pair).collect();
        for (ts, value) in samples {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{{{}}} {value:?} {ts}", labels.join(", "));
        }
    }
    text
}

fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// The instants and the bits of the values, by series.
fn merged(series: &[TextSeries]) -> BTreeMap<&Labels, Vec<(i64, u64)>> {
    let mut merged: BTreeMap<&Labels, Vec<(i64, u64)>> = BTreeMap::new();
    for (labels, samples) in series {
        let bits = samples.iter().map(|(ts, value)| (*ts, value.to_bits()));
        merged.entry(labels).or_default().extend(bits);
    }
    merged
}
