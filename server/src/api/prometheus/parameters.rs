//! The parameters of a request: those of the form in its body, then those of its address.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use barograph_model::{Matcher, TimeRange};
use barograph_promql::syntax;

use super::error::ApiError;
use super::go::parse_integer;
use super::instant::{parse_duration_ns, parse_instant};
use crate::http::{BodyError, MediaType, read_capped};

/// Bytes of a form. The limit on the text of a query is below it and names itself.
const FORM_BYTES_MAX: usize = 8 << 20;
/// How long a form may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// Selectors of one request.
const SELECTORS_MAX: usize = 1000;

/// Name and value pairs; of a name that stands twice the first counts, except where a list is asked for.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Sync> FromRequest<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let mut pairs = Vec::new();
        let content_type = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let is_form =
            content_type.is_some_and(|value| MediaType::parse(value).is("application/x-www-form-urlencoded"));
        if parts.method == Method::POST && is_form {
            let form = read_capped(body, FORM_BYTES_MAX, PATIENCE, |_| true)
                .await
                .map_err(|error| {
                    let kind = match error {
                        BodyError::TimedOut { .. } => "timeout",
                        _ => "bad_data",
                    };
                    ApiError::new(kind, format!("error parsing form values: {error}"))
                })?;
            read_pairs(&form, &mut pairs);
        }
        read_pairs(parts.uri.query().unwrap_or_default().as_bytes(), &mut pairs);
        Ok(Self(pairs))
    }
}

fn read_pairs(text: &[u8], pairs: &mut Vec<(String, String)>) {
    pairs.extend(form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())));
}

impl Parameters {
    /// The first value of a name, empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = move |pair: &&(String, String)| pair.0 == name;
        self.0.iter().filter(of_name).map(|(_, value)| value.as_str())
    }

    /// An instant that must be there, in milliseconds.
    pub(super) fn instant(&self, name: &str) -> Result<i64, ApiError> {
        parse_instant(self.get(name)).map_err(|reason| ApiError::parameter(name, reason))
    }

    /// An instant that may be left out.
    pub(super) fn instant_or(&self, name: &str, default: i64) -> Result<i64, ApiError> {
        match self.get(name) {
            "" => Ok(default),
            text => parse_instant(text).map_err(|reason| {
                ApiError::parameter(name, format_args!("invalid time value for '{name}': {reason}"))
            }),
        }
    }

    /// `start` and `end`, everything where they are left out.
    pub(super) fn range(&self) -> Result<TimeRange, ApiError> {
        let start = self.instant_or("start", i64::MIN)?;
        let end = self.instant_or("end", i64::MAX)?;
        Ok(TimeRange::new(start, end))
    }

    /// `timeout`.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, ApiError> {
        match self.get("timeout") {
            "" => Ok(None),
            text => match parse_duration_ns(text) {
                Ok(ns) => Ok(Some(Duration::from_nanos(u64::try_from(ns).unwrap_or(0)))),
                Err(reason) => Err(ApiError::parameter("timeout", reason)),
            },
        }
    }

    /// `lookback_delta`, in milliseconds.
    pub(super) fn lookback_ms(&self) -> Result<Option<i64>, ApiError> {
        match self.get("lookback_delta") {
            "" => Ok(None),
            text => match parse_duration_ns(text) {
                // As in Prometheus, what is not positive means the usual.
                Ok(ns) => Ok(Some(ns / 1_000_000).filter(|ms| *ms > 0)),
                Err(reason) => Err(ApiError::bad_data(format!(
                    "error parsing lookback delta duration: {reason}"
                ))),
            },
        }
    }

    /// `limit`, `None` where there is none.
    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        match self.get("limit") {
            "" => Ok(None),
            text => {
                let limit = parse_integer(text).map_err(|reason| ApiError::parameter("limit", reason))?;
                let limit = usize::try_from(limit)
                    .map_err(|_| ApiError::parameter("limit", "limit must be non-negative"))?;
                Ok(Some(limit).filter(|limit| *limit > 0))
            }
        }
    }

    /// The selectors of `match[]`, each with a condition that not everything fulfils.
    ///
    /// # Errors
    /// The reason, to be told by whoever asks: Prometheus' endpoints do so in different ways.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, String> {
        let mut selectors = Vec::new();
        for text in self.all("match[]") {
            if selectors.len() >= SELECTORS_MAX {
                return Err(format!("more than {SELECTORS_MAX} selectors"));
            }
            let matchers = syntax::parse_selector(text).map_err(|error| error.to_string())?;
            if matchers.iter().all(Matcher::matches_absent) {
                return Err("match[] must contain at least one non-empty matcher".to_owned());
            }
            selectors.push(matchers);
        }
        Ok(selectors)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn parameters(method: &str, uri: &str, body: &str) -> Parameters {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(Body::from(body.to_owned()))
            .unwrap();
        Parameters::from_request(request, &()).await.unwrap()
    }

    #[tokio::test]
    async fn the_form_comes_before_the_address() {
        let found = parameters("POST", "/x?query=a&match[]=c", "query=b+%2B+1&match%5B%5D=d").await;
        assert_eq!(found.get("query"), "b + 1");
        assert_eq!(found.all("match[]").collect::<Vec<_>>(), ["d", "c"]);
        assert_eq!(found.get("absent"), "");
        let found = parameters("GET", "/x?query=up%7Ba%3D%22b%22%7D", "query=no").await;
        assert_eq!(found.get("query"), "up{a=\"b\"}");
    }

    #[tokio::test]
    async fn wrong_values_are_told_as_prometheus_tells_them() {
        let found = parameters(
            "GET",
            "/x?start=now&limit=-1&timeout=soon&match[]={}&lookback_delta=x",
            "",
        )
        .await;
        let message = |error: ApiError| error.message;
        assert_eq!(
            message(found.instant("start").unwrap_err()),
            "invalid parameter \"start\": cannot parse \"now\" to a valid timestamp"
        );
        assert_eq!(
            message(found.range().unwrap_err()),
            "invalid parameter \"start\": invalid time value for 'start': cannot parse \"now\" to a valid timestamp"
        );
        assert_eq!(
            message(found.limit().unwrap_err()),
            "invalid parameter \"limit\": limit must be non-negative"
        );
        assert_eq!(
            message(found.timeout().unwrap_err()),
            "invalid parameter \"timeout\": cannot parse \"soon\" to a valid duration"
        );
        assert_eq!(
            message(found.lookback_ms().unwrap_err()),
            "error parsing lookback delta duration: cannot parse \"x\" to a valid duration"
        );
        assert_eq!(
            found.selectors().unwrap_err(),
            "match[] must contain at least one non-empty matcher"
        );
    }
}
