//! A place in an alert log, as text: `LOG-SEQ`, the log's identity in 16 hexadecimal digits and a decimal
//! sequence number. Clients treat it as opaque.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The place after an event of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Which log.
    pub log_id: u64,
    /// The last event that was dealt with; 0 before the first.
    pub seq: u64,
}

/// Where a subscriber wants to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what happens from now on.
    Now,
    /// With the oldest event that is kept.
    Beginning,
    /// After an event.
    After(Cursor),
}

/// A text that is not a cursor.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{text:?} is not a cursor: give the cursor of an earlier message, \"beginning\" for all events that are kept, \
     or nothing for those that happen from now on"
)]
pub struct CursorError {
    text: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.log_id, self.seq)
    }
}

impl FromStr for Start {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let error = || CursorError {
            text: text.chars().take(80).collect(),
        };
        match text {
            "" => Ok(Self::Now),
            "beginning" => Ok(Self::Beginning),
            _ => {
                let (log_id, seq) = text.split_once('-').ok_or_else(error)?;
                let cursor = Cursor {
                    log_id: u64::from_str_radix(log_id, 16).map_err(|_| error())?,
                    seq: seq.parse().map_err(|_| error())?,
                };
                // One text for each cursor, since clients compare texts; this refuses "+7" and "007".
                if cursor.to_string() == text {
                    Ok(Self::After(cursor))
                } else {
                    Err(error())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_it_never_wrote() {
        for text in [
            "now",
            "7",
            "-7",
            "00000000000000ff-",
            "00000000000000ff-+7",
            "00000000000000FF-7",
            "é",
            "ff-7",
        ] {
            let error = text.parse::<Start>().unwrap_err();
            assert!(error.to_string().contains("\"beginning\""), "{text}: {error}");
        }
        assert_eq!("".parse(), Ok(Start::Now));
        assert_eq!("beginning".parse(), Ok(Start::Beginning));
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(log_id in any::<u64>(), seq in any::<u64>()) {
            let cursor = Cursor { log_id, seq };
            prop_assert_eq!(cursor.to_string().parse(), Ok(Start::After(cursor)));
        }
    }
}
