//! A tenant's name, from the header `X-Scope-OrgID`.

use std::fmt;

use axum::http::HeaderMap;
use thiserror::Error;

/// The header that names the tenant, as Mimir, Loki and Cortex have it.
pub const HEADER: &str = "X-Scope-OrgID";

/// The tenant of requests that name none.
pub const DEFAULT_TENANT: &str = "default";

/// The longest name.
const BYTES_MAX: usize = 150;

/// A name that is good: 1 to 150 of `A-Z a-z 0-9 ! - _ . * ' ( )`, and neither `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(String);

/// Why a name is not good; follows the name of what holds it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TenantIdError {
    /// Nothing in it.
    #[error("is empty (leave it out for tenant {:?})", DEFAULT_TENANT)]
    Empty,
    /// Too long.
    #[error("has {bytes} bytes, more than {}", BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Several names, or the header twice.
    #[error("names several tenants; a write belongs to one (send a request for each)")]
    Several,
    /// A character that a name may not have.
    #[error("{shown:?} holds {character:?}; a tenant is made of letters, digits and !-_.*'()")]
    Character {
        /// The name, with a mark for what cannot be read.
        shown: String,
        /// The first that is wrong.
        character: char,
    },
    /// `.` or `..`, which mean folders elsewhere.
    #[error("{name:?} is not the name of a tenant")]
    Dots {
        /// The name.
        name: String,
    },
}

impl TenantId {
    /// Reads a name.
    ///
    /// # Errors
    /// [`TenantIdError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, TenantIdError> {
        if text.is_empty() {
            return Err(TenantIdError::Empty);
        }
        if text.contains('|') {
            return Err(TenantIdError::Several);
        }
        if text.len() > BYTES_MAX {
            return Err(TenantIdError::TooLong { bytes: text.len() });
        }
        let is_good = |c: char| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c);
        if let Some(character) = text.chars().find(|c| !is_good(*c)) {
            return Err(TenantIdError::Character {
                shown: text.to_owned(),
                character,
            });
        }
        if matches!(text, "." | "..") {
            return Err(TenantIdError::Dots {
                name: text.to_owned(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// The tenant of a write with these headers.
    ///
    /// # Errors
    /// [`TenantIdError`] where the header is there and wrong.
    pub fn of_write(headers: &HeaderMap) -> Result<Self, TenantIdError> {
        let mut values = headers.get_all(HEADER).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(DEFAULT_TENANT.to_owned())),
            (Some(_), Some(_)) => Err(TenantIdError::Several),
            (Some(value), None) => Self::parse(&String::from_utf8_lossy(value.as_bytes())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(values: &[&'static [u8]]) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("X-Scope-OrgID", HeaderValue::from_bytes(value).unwrap());
        }
        TenantId::of_write(&headers)
            .map(|id| id.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn one_good_name_or_the_default() {
        assert_eq!(of(&[]), Ok("default".to_owned()));
        assert_eq!(of(&[b"team-a"]), Ok("team-a".to_owned()));
        assert_eq!(of(&[b"A.z_0!*'()"]), Ok("A.z_0!*'()".to_owned()));
        let long: &'static [u8] = &[b'a'; 151];
        for (values, expected) in [
            (&[&b""[..]][..], "is empty"),
            (&[b"a|b"], "names several tenants"),
            (&[b"a", b"b"], "names several tenants"),
            (&[b"a b"], "holds ' '"),
            (&[b"a/b"], "holds '/'"),
            (&[b"\xff"], "holds '\u{fffd}'"),
            (&[b".."], "is not the name of a tenant"),
            (&[long], "has 151 bytes, more than 150"),
        ] {
            let error = of(values).unwrap_err();
            assert!(error.contains(expected), "{values:?}: {error}");
        }
    }
}
