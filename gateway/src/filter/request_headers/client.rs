//! What the gateway says about the client, and whom it takes it from.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::listen::{conn::Connection, proxy_protocol::HTTPS};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What is known about the client and its connection, as far as it is believed.
pub struct Client<'a> {
    /// The client's address (`X-Real-IP`, `X-Forwarded-For`).
    pub ip: &'a [u8],
    /// The whole chain, if it is kept (`compute-full-forwarded-for`).
    pub chain: Option<Vec<u8>>,
    /// `Host` as the client wrote it, or `X-Forwarded-Host` of a trusted proxy.
    pub best_host: &'a [u8],
    /// `X-Forwarded-Port`.
    pub port: &'a [u8],
    /// Scheme (`X-Forwarded-Proto`, `X-Forwarded-Scheme`, `X-Scheme`).
    pub scheme: &'a [u8],
    /// Whether `scheme` and `port` may be what a proxy said.
    pub is_behind_proxy: bool,
    /// The client's own headers.
    pub headers: &'a HeaderMap,
}

impl<'a> Client<'a> {
    /// Believes nothing that the client says but its `Host`. `ip` is its address.
    pub fn direct(
        connection: &'a Connection,
        ip: &'a [u8],
        host: &'a [u8],
        headers: &'a HeaderMap,
    ) -> Self {
        Self {
            ip,
            chain: None,
            best_host: host,
            port: connection.shown_port(),
            scheme: if connection.is_secure() { b"https" } else { b"http" },
            is_behind_proxy: false,
            headers,
        }
    }

    /// Believes what the client says about the request (`use-forwarded-headers`). With `append`, whoever has
    /// sent it, is added to
    /// its chain (`compute-full-forwarded-for`).
    pub fn behind_proxy(self, connection: &Connection, append: Option<&HeaderValue>) -> Self {
        let headers = self.headers;
        let value = |name| headers.get(name).map(HeaderValue::as_bytes);
        let chain = append.filter(|_| headers.contains_key(X_FORWARDED_FOR)).map(|hop| {
            let lines = headers.get_all(X_FORWARDED_FOR).iter().chain([hop]);
            lines.map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..])
        });
        // Where it was encrypted to is known from the connection itself (configmap-and-flags §5.2).
        let to_https = connection.proxied().is_some_and(|proxied| proxied.port == HTTPS);
        let scheme = value(X_FORWARDED_PROTO).filter(|_| !to_https);
        Self {
            chain,
            best_host: headers.get(X_FORWARDED_HOST).and_then(first_item).unwrap_or(self.best_host),
            port: value(X_FORWARDED_PORT).unwrap_or(self.port),
            scheme: scheme.unwrap_or(self.scheme),
            is_behind_proxy: true,
            ..self
        }
    }
}

/// The first item of a comma-separated list.
fn first_item(value: &HeaderValue) -> Option<&[u8]> {
    let item = value.as_bytes().split(|b| *b == b',').next()?.trim_ascii();
    (!item.is_empty()).then_some(item)
}
