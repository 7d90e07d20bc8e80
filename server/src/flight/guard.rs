//! Who may ask. Where no `[[sql_user]]` is configured, everybody who reaches the listener may.
//!
//! A client shows `authorization: Basic` with name and password, or `Bearer` with what the handshake gave it, or with a password
//! alone, which is then a token.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256, Key, Tag};
use ring::rand::SystemRandom;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::config::SqlUser;

/// Arrow's client for Go leaves the padding out, others do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The users, and what proves that a client was one of them.
pub(super) struct Guard {
    /// Of this process: a session ends with it.
    key: Key,
    /// Names, and passwords as the key makes them.
    users: Vec<(String, Tag)>,
}

impl Guard {
    /// # Errors
    /// Where the operating system gives no random bytes.
    pub(super) fn new(users: &[SqlUser]) -> Result<Self, ring::error::Unspecified> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new())?;
        let users = users
            .iter()
            .map(|user| (user.name.clone(), hmac::sign(&key, user.password.as_bytes())));
        Ok(Self {
            users: users.collect(),
            key,
        })
    }

    /// Lets a call pass, or not.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub(super) fn admit(&self, metadata: &MetadataMap) -> Result<(), Status> {
        if self.users.is_empty() {
            return Ok(());
        }
        match shown(metadata)? {
            Shown::Basic(name, password) if self.is_password(Some(&name), &password) => Ok(()),
            Shown::Bearer(token) if self.is_session(&token) || self.is_password(None, &token) => Ok(()),
            _ => Err(Status::unauthenticated(
                "the name, the password or the token is wrong",
            )),
        }
    }

    /// What a client shows from now on instead of its password: the value of `authorization`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub(super) fn log_in(&self, metadata: &MetadataMap) -> Result<String, Status> {
        self.admit(metadata)?;
        let name = match shown(metadata) {
            Ok(Shown::Basic(name, _)) => name,
            _ => String::new(),
        };
        let mut session = hmac::sign(&self.key, &session_of(&name)).as_ref().to_vec();
        session.extend(name.as_bytes());
        Ok(format!("Bearer {}", BASE64_URL_SAFE_NO_PAD.encode(session)))
    }

    /// Whether it is the password of a user, or of any. Takes the same time for all wrong ones.
    fn is_password(&self, name: Option<&str>, password: &str) -> bool {
        self.users.iter().fold(false, |found, (known, tag)| {
            let is_right = hmac::verify(&self.key, password.as_bytes(), tag.as_ref()).is_ok();
            found | (is_right & name.is_none_or(|name| name == known))
        })
    }

    fn is_session(&self, token: &str) -> bool {
        let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        let Some((tag, name)) = bytes.split_at_checked(HMAC_SHA256.digest_algorithm().output_len()) else {
            return false;
        };
        let Ok(name) = std::str::from_utf8(name) else {
            return false;
        };
        hmac::verify(&self.key, &session_of(name), tag).is_ok()
    }
}

/// What is signed for a session; never the same bytes as a password's.
fn session_of(name: &str) -> Vec<u8> {
    [b"session\0".as_slice(), name.as_bytes()].concat()
}

enum Shown {
    Basic(String, String),
    Bearer(String),
}

fn shown(metadata: &MetadataMap) -> Result<Shown, Status> {
    let missing =
        || Status::unauthenticated("log in with the name and password of a [[sql_user]], or show its token");
    let header = metadata.get("authorization").ok_or_else(missing)?;
    let header = header.to_str().map_err(|_| missing())?;
    let (scheme, value) = header.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Shown::Bearer(value.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(missing());
    }
    let pair = BASE64.decode(value.trim()).map_err(|_| missing())?;
    let pair = String::from_utf8(pair).map_err(|_| missing())?;
    let (name, password) = pair.split_once(':').ok_or_else(missing)?;
    Ok(Shown::Basic(name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, password: &str) -> SqlUser {
        SqlUser {
            name: name.to_owned(),
            password: password.to_owned(),
        }
    }

    fn header(value: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", value.parse().unwrap());
        metadata
    }

    fn basic(name: &str, password: &str) -> MetadataMap {
        header(&format!("Basic {}", BASE64.encode(format!("{name}:{password}"))))
    }

    #[test]
    fn users_log_in() {
        let guard = Guard::new(&[user("ana", "secret"), user("ci", "t0ken:x")]).unwrap();
        for metadata in [
            basic("ana", "secret"),
            header("Basic YW5hOnNlY3JldA"),
            basic("ci", "t0ken:x"),
            header("bearer t0ken:x"),
        ] {
            guard.admit(&metadata).unwrap();
        }
        let session = guard.log_in(&basic("ana", "secret")).unwrap();
        guard.admit(&header(&session)).unwrap();
        let other = Guard::new(&[user("ana", "secret")]).unwrap();
        assert!(
            other.admit(&header(&session)).is_err(),
            "a session of another process"
        );
        for metadata in [
            MetadataMap::new(),
            basic("ana", "t0ken:x"),
            basic("nobody", "secret"),
            basic("", ""),
            header("Basic !!"),
            header("Bearer "),
            header("Bearer secre"),
            header("Negotiate x"),
            header(&session[..session.len() - 1]),
        ] {
            assert!(guard.admit(&metadata).is_err(), "{metadata:?}");
            assert!(guard.log_in(&metadata).is_err(), "{metadata:?}");
        }
    }

    #[test]
    fn without_users_everybody_passes() {
        let guard = Guard::new(&[]).unwrap();
        guard.admit(&MetadataMap::new()).unwrap();
        let session = guard.log_in(&basic("who", "ever")).unwrap();
        guard.admit(&header(&session)).unwrap();
    }
}
