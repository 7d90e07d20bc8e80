//! The functions of templates.

use super::printf::Format;
use super::{Datum, float};

/// A function, with what its call was checked for when the template was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Function {
    Humanize,
    Humanize1024,
    HumanizePercentage,
    HumanizeDuration,
    ToUpper,
    ToLower,
    Title,
    StripPort,
    Printf(Format),
}

/// All names, for messages.
pub(super) const NAMES: [&str; 9] = [
    "humanize",
    "humanize1024",
    "humanizePercentage",
    "humanizeDuration",
    "toUpper",
    "toLower",
    "title",
    "stripPort",
    "printf",
];

impl Function {
    /// The function of one argument with that name.
    pub(super) fn of_one(name: &str) -> Option<Self> {
        Some(match name {
            "humanize" => Self::Humanize,
            "humanize1024" => Self::Humanize1024,
            "humanizePercentage" => Self::HumanizePercentage,
            "humanizeDuration" => Self::HumanizeDuration,
            "toUpper" => Self::ToUpper,
            "toLower" => Self::ToLower,
            "title" => Self::Title,
            "stripPort" => Self::StripPort,
            _ => return None,
        })
    }

    /// Functions of numbers give a text that is not a number back unchanged.
    pub(super) fn call(&self, arguments: &[Datum]) -> Datum {
        // The parser gives every function but printf exactly one argument; printf may have none.
        let nothing = Datum::Text(String::new());
        let argument = arguments.first().unwrap_or(&nothing);
        let text = argument.to_text();
        let of_number =
            |function: fn(f64) -> String| argument.to_float().map_or_else(|| text.clone(), function);
        Datum::Text(match self {
            Self::Humanize => of_number(float::humanize),
            Self::Humanize1024 => of_number(float::humanize_1024),
            Self::HumanizePercentage => of_number(float::humanize_percentage),
            Self::HumanizeDuration => of_number(float::humanize_duration),
            Self::ToUpper => text.to_uppercase(),
            Self::ToLower => text.to_lowercase(),
            Self::Title => title(&text),
            Self::StripPort => strip_port(&text),
            Self::Printf(format) => format.print(arguments),
        })
    }
}

/// The first letter of each word in upper case.
fn title(text: &str) -> String {
    let mut at_start = true;
    let mut titled = String::with_capacity(text.len());
    for c in text.chars() {
        if at_start {
            titled.extend(c.to_uppercase());
        } else {
            titled.push(c);
        }
        at_start = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    titled
}

/// `host:9100` is `host`, `[::1]:80` is `::1`; what has no port stays as it is.
fn strip_port(text: &str) -> String {
    match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
                Some(address) => address.to_owned(),
                None if host.contains(':') => text.to_owned(),
                None => host.to_owned(),
            }
        }
        _ => text.to_owned(),
    }
}
