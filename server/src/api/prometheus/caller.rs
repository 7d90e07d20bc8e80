//! Who asks: callers take turns in the queue, and stand in the query log.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use crate::tenants::{HEADER, TenantId};

/// The tenant that a request names, else the address that it comes from.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Arc<str>);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let tenant = parts.headers.get(HEADER).and_then(|value| value.to_str().ok());
        if let Some(tenant) = tenant
            && TenantId::parse(tenant).is_ok()
        {
            return Ok(Self(Arc::from(tenant)));
        }
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(match address {
            Some(ConnectInfo(address)) => Arc::from(address.ip().to_string()),
            None => Arc::from("unknown"),
        }))
    }
}
