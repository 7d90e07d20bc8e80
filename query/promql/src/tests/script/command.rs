//! A script -> its commands, each with the number of its line.

use super::super::store::StoredSeries;
use super::case::{Case, Expectation, Expected, Times, Verdict};
use super::notation;
use crate::Grid;
use crate::syntax::parse_duration;

/// One command of a script.
pub(super) enum Command {
    Clear,
    Load(Vec<StoredSeries>),
    Eval(Case),
}

/// All commands of a script.
pub(super) fn commands(text: &str) -> Result<Vec<(usize, Command)>, String> {
    let mut commands = Vec::new();
    let lines: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim_end()))
        .filter(|(_, line)| !line.is_empty() && !line.trim_start().starts_with('#'))
        .collect();
    let mut rest = lines.as_slice();
    while let Some(((number, head), after)) = rest.split_first() {
        let at_line = |wrong: String| format!("{number}: {wrong}");
        let length = after
            .iter()
            .take_while(|(_, line)| line.starts_with([' ', '\t']))
            .count();
        let body: Vec<&str> = after[..length].iter().map(|(_, line)| line.trim()).collect();
        rest = &after[length..];
        let (word, arguments) = head.split_once(' ').unwrap_or((*head, ""));
        let command = match word {
            "clear" if body.is_empty() => Command::Clear,
            "load" => Command::Load(load(arguments, &body).map_err(at_line)?),
            _ if word.starts_with("eval") => {
                Command::Eval(eval(word, arguments.trim(), &body).map_err(at_line)?)
            }
            _ => return Err(at_line(format!("{head:?} is not a command"))),
        };
        commands.push((*number, command));
    }
    Ok(commands)
}

fn load(interval: &str, body: &[&str]) -> Result<Vec<StoredSeries>, String> {
    let interval_ms = milliseconds(interval.trim())?;
    let one = |line: &&str| -> Result<StoredSeries, String> {
        let (labels, values) = notation::series(line)?;
        let places = notation::values(values)?.into_iter().enumerate();
        let samples = places.filter_map(|(i, place)| Some((i as i64 * interval_ms, place?)));
        Ok(StoredSeries {
            labels,
            samples: samples.collect(),
        })
    };
    body.iter().map(one).collect()
}

fn eval(word: &str, arguments: &str, body: &[&str]) -> Result<Case, String> {
    let (times, expr) = times(arguments)?;
    let mut expected = Expected::default();
    match word {
        "eval" => {}
        "eval_ordered" => expected.ordered = true,
        "eval_fail" => expected.fails.push(Verdict::Any),
        "eval_warn" => expected.warnings = Expectation::Some(vec![Verdict::Any]),
        "eval_info" => expected.infos = Expectation::Some(vec![Verdict::Any]),
        _ => return Err(format!("{word:?} is not a command")),
    }
    for line in body {
        if let Some(expectation) = line.strip_prefix("expect ") {
            expect(expectation, &mut expected)?;
        } else if let Some(message) = line.strip_prefix("expected_fail_message ") {
            expected.fails = vec![Verdict::Message(message.to_owned())];
        } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
            expected.fails = vec![regex(pattern)?];
        } else {
            expected.lines.push(expected_series(line)?);
        }
    }
    if !expected.fails.is_empty() && !expected.lines.is_empty() {
        return Err("a query that fails has no answer".to_owned());
    }
    Ok(Case {
        times,
        expr: expr.to_owned(),
        expected,
    })
}

fn expected_series(line: &str) -> Result<super::case::Line, String> {
    if let Some(value) = notation::float(line) {
        let place = Some(super::super::store::Stored::Float(value));
        return Ok((None, vec![place]));
    }
    let (labels, values) = notation::series(line)?;
    Ok((Some(labels), notation::values(values)?))
}

fn expect(text: &str, expected: &mut Expected) -> Result<(), String> {
    let (what, how) = text.split_once(' ').unwrap_or((text, ""));
    match what {
        "ordered" => expected.ordered = true,
        "no_warn" => expected.warnings = Expectation::None,
        "no_info" => expected.infos = Expectation::None,
        "warn" => expected.warnings.add(verdict(how)?),
        "info" => expected.infos.add(verdict(how)?),
        "fail" => expected.fails.push(verdict(how)?),
        "string" => {
            let text = how.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            expected.text = Some(text.ok_or("a string stands in double quotes")?.to_owned());
        }
        _ => return Err(format!("nobody expects {what:?}")),
    }
    Ok(())
}

fn verdict(how: &str) -> Result<Verdict, String> {
    if how.is_empty() {
        Ok(Verdict::Any)
    } else if let Some(message) = how.strip_prefix("msg:") {
        Ok(Verdict::Message(message.trim().to_owned()))
    } else if let Some(pattern) = how.strip_prefix("regex:") {
        regex(pattern.trim())
    } else {
        Err(format!("{how:?} is neither msg: nor regex:"))
    }
}

fn regex(pattern: &str) -> Result<Verdict, String> {
    regex::Regex::new(pattern)
        .map(Verdict::Regex)
        .map_err(|error| error.to_string())
}

/// `instant at T EXPR` or `range from T to T step D EXPR`.
fn times(text: &str) -> Result<(Times, &str), String> {
    let word = |text: &str, expected: &str| -> Result<String, String> {
        let rest = text
            .trim_start()
            .strip_prefix(expected)
            .ok_or(format!("{expected:?} is missing in {text:?}"))?;
        Ok(rest.trim_start().to_owned())
    };
    let argument = |text: &str| -> Result<(i64, String), String> {
        let (value, rest) = text.split_once(' ').ok_or(format!("{text:?} ends too early"))?;
        Ok((milliseconds(value)?, rest.to_owned()))
    };
    let (times, length) = if let Ok(rest) = word(text, "instant") {
        let (at, rest) = argument(&word(&rest, "at")?)?;
        (Times::Instant(at), rest.trim_start().len())
    } else {
        let (from, rest) = argument(&word(&word(text, "range")?, "from")?)?;
        let (to, rest) = argument(&word(&rest, "to")?)?;
        let (step, rest) = argument(&word(&rest, "step")?)?;
        let grid = Grid::range(from, to, step).map_err(|error| error.to_string())?;
        (Times::Range(grid), rest.trim_start().len())
    };
    Ok((times, &text[text.len() - length..]))
}

/// A duration, or a number of seconds.
fn milliseconds(text: &str) -> Result<i64, String> {
    match text.parse::<f64>() {
        Ok(seconds) => Ok((seconds * 1000.0).round() as i64),
        Err(_) => parse_duration(text).map_err(|error| error.to_string()),
    }
}
