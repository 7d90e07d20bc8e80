//! Label sets as texts write them: `{name="value", "other name"="value"}`.

use barograph_model::Labels;

/// Which escapes stand in quoted texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Those of Go, as promtool writes them: `\n`, `\"`, `\\`, `\t`, `\x41`, `\u00e9`, ...
    Go,
    /// Those of OpenMetrics: `\n`, `\"`, `\\`; a backslash before anything else is itself.
    OpenMetrics,
}

/// Where a label set that begins with `{` at 0 ends: the length with both braces. `None` where it does not end.
pub(super) fn braces_len(text: &[u8]) -> Option<usize> {
    let mut is_quoted = false;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' if is_quoted => at += 1,
            b'"' => is_quoted = !is_quoted,
            b'}' if !is_quoted => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Reads a metric's name, which may be empty, and a label set in braces, which may be empty too.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn parse(name: &str, braces: &str, escapes: Escapes) -> Result<Labels, String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    if !name.is_empty() {
        pairs.push(("__name__".to_owned(), name.to_owned()));
    }
    let mut rest = braces
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or_default()
        .trim_start();
    while !rest.is_empty() {
        let (label, after, was_quoted) = label_name(rest, escapes)?;
        match after.trim_start().strip_prefix('=') {
            Some(after) => {
                let quoted = after.trim_start();
                let (value, after) = unquote(quoted, escapes)
                    .map_err(|what| format!("the value of label {label:?} {what}"))?;
                pairs.push((label, value));
                rest = after;
            }
            // A name in quotes that stands alone is the metric's.
            None if was_quoted => {
                pairs.push(("__name__".to_owned(), label));
                rest = after;
            }
            None => return Err(format!("no \"=\" after label {label:?}")),
        }
        rest = rest.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if rest.is_empty() => rest,
            None => return Err(format!("no comma before {:?}", shown(rest))),
        };
    }
    Labels::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        .map_err(|error| error.to_string())
}

/// A label's name with what follows it, and whether it stood in quotes.
fn label_name(text: &str, escapes: Escapes) -> Result<(String, &str, bool), String> {
    if text.starts_with('"') {
        let (name, after) = unquote(text, escapes).map_err(|what| format!("a label's name {what}"))?;
        return Ok((name, after, true));
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':' || c == '.'))
        .unwrap_or(text.len());
    if end == 0 {
        return Err(format!("a label's name is expected, not {:?}", shown(text)));
    }
    Ok((text[..end].to_owned(), &text[end..], false))
}

/// The text in quotes at the beginning, and what follows it.
fn unquote(text: &str, escapes: Escapes) -> Result<(String, &str), String> {
    let Some(inner) = text.strip_prefix('"') else {
        return Err(format!("does not begin with a quote: {:?}", shown(text)));
    };
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &inner[at + 1..])),
            '\\' => {
                let (_, escaped) = chars.next().ok_or("ends in a backslash")?;
                match (escaped, escapes) {
                    ('n', _) => value.push('\n'),
                    ('"' | '\\', _) => value.push(escaped),
                    (_, Escapes::OpenMetrics) => value.extend(['\\', escaped]),
                    ('t', _) => value.push('\t'),
                    ('r', _) => value.push('\r'),
                    ('a', _) => value.push('\u{7}'),
                    ('b', _) => value.push('\u{8}'),
                    ('f', _) => value.push('\u{c}'),
                    ('v', _) => value.push('\u{b}'),
                    ('x' | 'u' | 'U', _) => {
                        let digits = match escaped {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        value.push(code_point(&mut chars, digits)?);
                    }
                    _ => return Err(format!("has the unknown escape \\{escaped}")),
                }
            }
            c => value.push(c),
        }
    }
    Err("has no closing quote".to_owned())
}

fn code_point(chars: &mut std::str::CharIndices<'_>, digits: usize) -> Result<char, String> {
    let mut code = 0u32;
    for _ in 0..digits {
        let digit = chars.next().and_then(|(_, c)| c.to_digit(16));
        code = code * 16 + digit.ok_or("has an escape with too few hexadecimal digits")?;
    }
    // Two digits stand for a byte, which above 127 is no character on its own.
    match char::from_u32(code) {
        Some(c) if digits > 2 || code < 128 => Ok(c),
        _ => Err(format!("has an escape for {code:#x}, which is no character")),
    }
}

/// The beginning of a text, for messages.
pub(super) fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        start.push_str("...");
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_promtool_and_exporters_write() {
        for (name, braces, expected) in [
            ("up", "", r#"{__name__="up"}"#),
            ("", r#"{__name__="up", job="a"}"#, r#"{__name__="up",job="a"}"#),
            ("up", r#"{job="a",}"#, r#"{__name__="up",job="a"}"#),
            (
                "",
                r#"{"my metric", "a.b"="c", d.e="f"}"#,
                r#"{__name__="my metric",a.b="c",d.e="f"}"#,
            ),
            ("up", "{}", r#"{__name__="up"}"#),
        ] {
            let labels = parse(name, braces, Escapes::Go).unwrap();
            let pairs: Vec<_> = labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
            assert_eq!(format!("{{{}}}", pairs.join(",")), expected);
            assert_eq!(braces_len(braces.as_bytes()).unwrap_or(0), braces.len());
        }
        let text = r#"{a="x\"}y\\", b="\n\t\u00e9\x41"} 1"#;
        let end = braces_len(text.as_bytes()).unwrap();
        let labels = parse("m", &text[..end], Escapes::Go).unwrap();
        assert_eq!((labels.get("a"), labels.get("b")), ("x\"}y\\", "\n\t\u{e9}A"));
        let labels = parse("m", r#"{a="\d\n"}"#, Escapes::OpenMetrics).unwrap();
        assert_eq!(labels.get("a"), "\\d\n");
    }

    #[test]
    fn says_what_is_wrong() {
        for (braces, expected) in [
            (r#"{a="b" c="d"}"#, "no comma before"),
            (r#"{a}"#, "no \"=\" after label \"a\""),
            (r#"{a=b}"#, "the value of label \"a\" does not begin with a quote"),
            (r#"{="b"}"#, "a label's name is expected"),
            (r#"{a="\q"}"#, "unknown escape \\q"),
            (r#"{a="\xff"}"#, "no character"),
            (r#"{a="\u12"}"#, "too few"),
            (r#"{a="b", a="c"}"#, "a"),
        ] {
            let message = parse("m", braces, Escapes::Go).unwrap_err();
            assert!(message.contains(expected), "{braces}: {message}");
        }
        assert_eq!(braces_len(br#"{a="b}"#), None);
    }
}
