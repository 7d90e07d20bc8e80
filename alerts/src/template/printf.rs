//! `printf`: the verbs of Go's `fmt` that make sense for a label, a value or a number.

use super::{Datum, Expression, float};

/// A wider field or a longer precision is refused.
const WIDEST: usize = 100;

/// A format, parsed and checked against its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Verb(Verb),
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Verb {
    letter: char,
    minus: bool,
    plus: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

impl Format {
    /// Reads a format for these arguments; the message says what does not fit.
    pub(super) fn parse(format: &str, arguments: &[Expression]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut chars = format.chars().peekable();
        let mut next_argument = 0;
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            if chars.next_if_eq(&'%').is_some() {
                text.push('%');
                continue;
            }
            let mut verb = Verb::default();
            while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '+' | '0')) {
                match flag {
                    '-' => verb.minus = true,
                    '+' => verb.plus = true,
                    _ => verb.zero = true,
                }
            }
            verb.width = number(&mut chars)?.unwrap_or(0);
            if chars.next_if_eq(&'.').is_some() {
                verb.precision = Some(number(&mut chars)?.unwrap_or(0));
            }
            verb.letter = chars
                .next()
                .ok_or_else(|| format!("printf {format:?} ends inside a verb"))?;
            let argument = arguments.get(next_argument).ok_or_else(|| {
                format!(
                    "printf {format:?} has more verbs than arguments ({})",
                    arguments.len()
                )
            })?;
            check(&verb, argument)?;
            next_argument += 1;
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Verb(verb));
        }
        if next_argument < arguments.len() {
            return Err(format!(
                "printf {format:?} has {next_argument} verbs for {} arguments",
                arguments.len()
            ));
        }
        pieces.push(Piece::Text(text));
        Ok(Self { pieces })
    }

    pub(super) fn print(&self, arguments: &[Datum]) -> String {
        let mut printed = String::new();
        let mut arguments = arguments.iter();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => printed.push_str(text),
                Piece::Verb(verb) => {
                    if let Some(argument) = arguments.next() {
                        printed.push_str(&verb.print(argument));
                    }
                }
            }
        }
        printed
    }
}

fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, String> {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(number) if number <= WIDEST => Ok(Some(number)),
        _ => Err(format!("printf: {digits} is wider than {WIDEST}")),
    }
}

fn check(verb: &Verb, argument: &Expression) -> Result<(), String> {
    let is_float = matches!(argument, Expression::Value | Expression::Number(_));
    let is_integer = matches!(argument, Expression::Integer(_));
    match verb.letter {
        'v' => Ok(()),
        's' | 'q' if is_float || is_integer => Err(format!(
            "printf: %{} prints texts; for a number take %v or %.2f",
            verb.letter
        )),
        's' | 'q' => Ok(()),
        'f' | 'F' | 'e' | 'g' if is_float => Ok(()),
        'f' | 'F' | 'e' | 'g' => Err(format!(
            "printf: %{} prints $value; for a text take %s",
            verb.letter
        )),
        'd' if is_integer => Ok(()),
        'd' => Err("printf: %d prints whole numbers; for $value take %.0f".to_owned()),
        other => Err(format!(
            "printf: verb %{other} is not known; there are %v %s %q %f %e %g %d %%"
        )),
    }
}

impl Verb {
    fn print(&self, argument: &Datum) -> String {
        let value = argument.to_float().unwrap_or(f64::NAN);
        let mut text = match self.letter {
            'f' | 'F' => float::fixed(value, self.precision.unwrap_or(6)),
            'e' => float::scientific(value, self.precision.unwrap_or(6)),
            'g' => float::general(value, self.precision),
            'v' => match argument {
                Datum::Float(value) => float::general(*value, self.precision),
                other => other.to_text(),
            },
            'q' => format!("{:?}", argument.to_text()),
            's' => {
                let text = argument.to_text();
                self.precision
                    .map_or(text.clone(), |longest| text.chars().take(longest).collect())
            }
            _ => argument.to_text(),
        };
        let is_number = !matches!(argument, Datum::Text(_));
        if self.plus && is_number && !text.starts_with(['-', '+']) && text != "NaN" {
            text.insert(0, '+');
        }
        self.pad(text, is_number && value.is_finite())
    }

    fn pad(&self, text: String, zeros_allowed: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.minus {
            text + &" ".repeat(missing)
        } else if self.zero && zeros_allowed {
            let sign = if text.starts_with(['-', '+']) { 1 } else { 0 };
            format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..])
        } else {
            " ".repeat(missing) + &text
        }
    }
}
