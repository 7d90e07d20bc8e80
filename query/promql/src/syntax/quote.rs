//! Texts in quotes, as Go writes and reads them.

/// A text in double quotes with Go's escapes: what `strconv.Quote` gives.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_escaped(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// A text in an error: no more than its first ten characters.
pub(super) fn quote_start(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let end = text.char_indices().nth(10).map_or(text.len(), |(at, _)| at);
    format!("{}...", quote(&text[..end]))
}

/// A character in single quotes; the end of the text shows as a replacement character.
pub(super) fn quote_char(c: Option<char>) -> String {
    let mut out = String::from("'");
    push_escaped(&mut out, c.unwrap_or(char::REPLACEMENT_CHARACTER), '\'');
    out.push('\'');
    out
}

/// A character with its code point: `U+0071 'q'`.
pub(super) fn code_point(c: char) -> String {
    if is_printable(c) {
        format!("U+{:04X} '{c}'", u32::from(c))
    } else {
        format!("U+{:04X}", u32::from(c))
    }
}

fn push_escaped(out: &mut String, c: char, quote: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if c == quote => {
            out.push('\\');
            out.push(c);
        }
        c if is_printable(c) => out.push(c),
        c => {
            let code = u32::from(c);
            out.push_str(&match code {
                0..0x80 => format!("\\x{code:02x}"),
                0x80..0x1_0000 => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            });
        }
    }
}

/// Whether a character shows as itself: letters, marks, numbers, punctuation, symbols and the ordinary space.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    // The standard library knows, but tells only through what it escapes; marks count as printable only behind
    // another character.
    let mut bytes = [b'a'; 5];
    let len = c.encode_utf8(&mut bytes[1..]).len();
    std::str::from_utf8(&bytes[..=len]).is_ok_and(|text| text.escape_debug().nth(1) == Some(c))
}

/// Why a quoted text cannot be read.
pub(super) enum UnquoteError {
    /// An escape that the lexer should have refused.
    Syntax,
    /// Escaped bytes that are not UTF-8 when put together.
    NotUtf8,
}

/// The text inside quotes of any of the three kinds. Between backticks nothing is an escape.
pub(super) fn unquote(quoted: &str) -> Result<String, UnquoteError> {
    let mut inside = quoted.chars();
    let (first, last) = (inside.next(), inside.next_back());
    if first.is_none() || first != last {
        return Err(UnquoteError::Syntax);
    }
    let inside = inside.as_str();
    if first == Some('`') || !inside.contains('\\') {
        return Ok(inside.to_owned());
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = unescape(&rest[at + 1..], &mut out).ok_or(UnquoteError::Syntax)?;
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).map_err(|_| UnquoteError::NotUtf8)
}

/// Reads what follows a backslash; gives what follows the escape.
fn unescape<'a>(text: &'a str, out: &mut Vec<u8>) -> Option<&'a str> {
    let c = text.chars().next()?;
    let after = &text[c.len_utf8()..];
    let simple = match c {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' | '\'' | '"' => c as u8,
        '0'..='7' => {
            let value = u32::from_str_radix(text.get(..3)?, 8).ok()?;
            out.push(u8::try_from(value).ok()?);
            return text.get(3..);
        }
        'x' => {
            out.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
            return after.get(2..);
        }
        'u' | 'U' => {
            let digits = if c == 'u' { 4 } else { 8 };
            let c = char::from_u32(u32::from_str_radix(after.get(..digits)?, 16).ok()?)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return after.get(digits..);
        }
        _ => return None,
    };
    out.push(simple);
    Some(after)
}
