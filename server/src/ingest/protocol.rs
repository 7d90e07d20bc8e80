//! Which message a body holds: content negotiation by `Content-Type` and `Content-Encoding`.

use axum::http::{HeaderMap, StatusCode, header};

use crate::http::{MediaType, Refusal};

/// A message of remote write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Remote write 1.0.
    V1,
    /// Remote write 2.0.
    V2,
}

impl Protocol {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The message by its full name, as the `proto` parameter says it.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::V1 => "prometheus.WriteRequest",
            Self::V2 => "io.prometheus.write.v2.Request",
        }
    }

    /// Reads what the body is said to be. Senders older than the specification leave either header out, and mean 1.0 and
    /// snappy.
    ///
    /// # Errors
    /// A refusal with status 415 that names what is spoken.
    pub(super) fn negotiate(headers: &HeaderMap) -> Result<Self, Refusal> {
        let refuse = |message: String| Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        let mut protocol = Self::V1;
        if let Some(given) = headers.get(header::CONTENT_TYPE) {
            let given = String::from_utf8_lossy(given.as_bytes());
            let media = MediaType::parse(&given);
            if !media.is("application/x-protobuf") {
                return refuse(format!(
                    "Content-Type {given:?} is not accepted (send application/x-protobuf)"
                ));
            }
            if let Some(proto) = media.parameter("proto") {
                let Some(known) = Self::ALL.into_iter().find(|p| p.message() == proto) else {
                    return refuse(format!(
                        "Content-Type asks for {proto:?}; {} and {} are accepted",
                        Self::V1.message(),
                        Self::V2.message(),
                    ));
                };
                protocol = known;
            }
        }
        if let Some(given) = headers.get(header::CONTENT_ENCODING)
            && !given.as_bytes().eq_ignore_ascii_case(b"snappy")
        {
            let given = String::from_utf8_lossy(given.as_bytes());
            return refuse(format!(
                "Content-Encoding {given:?} is not accepted (send snappy, in its block format)"
            ));
        }
        Ok(protocol)
    }
}
