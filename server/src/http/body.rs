//! Reading a request's body without trusting its length.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use thiserror::Error;

/// How long a body that was refused is read and thrown away, so that its sender comes to read the answer.
const DISCARD_FOR: Duration = Duration::from_secs(10);
/// Memory that is reserved on the word of a `Content-Length` alone.
const RESERVE_BYTES_MAX: usize = 256 << 10;

/// Why a body was not collected.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Longer than the cap, as declared or as it came.
    #[error("the body is larger than the {max} bytes that are accepted (send smaller batches)")]
    TooLarge {
        /// The cap.
        max: usize,
    },
    /// `admit` said no.
    #[error("too many bytes of requests are in flight")]
    NotAdmitted,
    /// It did not come to its end in time.
    #[error("the body did not arrive within {seconds} s")]
    TimedOut {
        /// The time it was given.
        seconds: f64,
    },
    /// The client went away, or broke the framing.
    #[error("the body broke off: {source}")]
    Broken {
        /// What the HTTP library said.
        source: axum::Error,
    },
}

/// Collects a body of at most `max` bytes that arrives within `patience`. Each piece is offered to `admit` before
/// it is kept, which may refuse it. What is refused is thrown away as it arrives, in the background.
///
/// # Errors
/// [`BodyError`]; a declared length over the cap is refused before a byte is read.
pub async fn read_capped(
    mut body: Body,
    max: usize,
    patience: Duration,
    admit: impl FnMut(usize) -> bool,
) -> Result<Bytes, BodyError> {
    let declared = body.size_hint().lower();
    let outcome = if declared > max as u64 {
        Err(BodyError::TooLarge { max })
    } else {
        let expected = usize::try_from(declared).unwrap_or(max);
        let timed_out = |_| {
            Err(BodyError::TimedOut {
                seconds: patience.as_secs_f64(),
            })
        };
        tokio::time::timeout(patience, collect(&mut body, expected, max, admit))
            .await
            .unwrap_or_else(timed_out)
    };
    if let Err(BodyError::TooLarge { .. } | BodyError::NotAdmitted) = outcome {
        discard(body);
    }
    outcome
}

async fn collect(
    body: &mut Body,
    expected: usize,
    max: usize,
    mut admit: impl FnMut(usize) -> bool,
) -> Result<Bytes, BodyError> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|source| BodyError::Broken { source })?.into_data() else {
            continue;
        };
        if piece.len() > max - whole.len() {
            return Err(BodyError::TooLarge { max });
        }
        if !admit(piece.len()) {
            return Err(BodyError::NotAdmitted);
        }
        if whole.is_empty() {
            if body.is_end_stream() {
                return Ok(piece);
            }
            whole.reserve(expected.clamp(piece.len(), RESERVE_BYTES_MAX.max(piece.len())));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

/// Reads a body to its end in the background and keeps nothing of it. A client that sends all before it reads
/// would otherwise find the connection reset, and never see why it was refused.
pub fn discard(mut body: Body) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(tokio::time::timeout(DISCARD_FOR, async move {
        while let Some(Ok(_)) = body.frame().await {}
    }));
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn chunked(pieces: &[&'static [u8]]) -> Body {
        let pieces: Vec<Result<&[u8], std::io::Error>> = pieces.iter().map(|&piece| Ok(piece)).collect();
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn collects_up_to_the_cap() {
        let whole = read_capped(chunked(&[b"ab", b"", b"cd"]), 4, PATIENCE, |_| true)
            .await
            .unwrap();
        assert_eq!(whole, "abcd");
        let whole = read_capped(Body::from("abcd"), 4, PATIENCE, |_| true)
            .await
            .unwrap();
        assert_eq!(whole, "abcd");
        assert!(
            read_capped(Body::empty(), 4, PATIENCE, |_| true)
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn refuses_over_the_cap_declared_or_not() {
        for body in [
            Body::from("abcde"),
            chunked(&[b"ab", b"cde"]),
            chunked(&[b"abcde"]),
        ] {
            let refused = read_capped(body, 4, PATIENCE, |_| true).await;
            assert!(
                matches!(refused, Err(BodyError::TooLarge { max: 4 })),
                "{refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_endless_body_is_refused_after_the_cap() {
        let mut given = 0;
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(&[0u8; 1024][..]));
        let refused = read_capped(Body::from_stream(endless), 1 << 20, PATIENCE, |len| {
            given += len;
            true
        });
        assert!(matches!(refused.await, Err(BodyError::TooLarge { .. })));
        assert_eq!(given, 1 << 20, "nothing above the cap is admitted");
    }

    #[tokio::test]
    async fn each_piece_must_be_admitted() {
        let mut left = 3;
        let refused = read_capped(chunked(&[b"ab", b"cd"]), 100, PATIENCE, |len| {
            left -= len as i64;
            left >= 0
        });
        assert!(matches!(refused.await, Err(BodyError::NotAdmitted)));
    }

    #[tokio::test]
    async fn a_body_that_never_comes_is_given_up() {
        let silent = stream::pending::<Result<&[u8], std::io::Error>>();
        let patience = Duration::from_millis(1);
        let refused = read_capped(Body::from_stream(silent), 100, patience, |_| true).await;
        assert!(matches!(refused, Err(BodyError::TimedOut { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_error() {
        let pieces = [Ok(&b"ab"[..]), Err(std::io::Error::other("reset"))];
        let refused = read_capped(Body::from_stream(stream::iter(pieces)), 100, PATIENCE, |_| true).await;
        assert!(matches!(refused, Err(BodyError::Broken { .. })), "{refused:?}");
    }
}
