//! Fetches a set of keys: one request over a connection of its own. Redirects are not followed: where keys come from is said
//! by the configuration.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, Request, Response, StatusCode, Uri, header, uri::Authority};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::Shared;
use crate::{
    filter::jwt::keys::{KeySet, SetError},
    observe::metrics::Metrics,
    upstream::{names::Names, tls::Tls},
};

/// Limit of a fetch from one address, from connecting to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses that are tried, one after the other.
const MOST_ADDRESSES: usize = 3;
/// A larger set is none.
const MOST_BYTES: usize = 256 * 1024;
/// How long keys hold that nothing is said about.
const USUAL: Duration = Duration::from_secs(300);
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// Keys as they were fetched.
#[derive(Debug)]
pub struct Fetched {
    /// The keys.
    pub keys: KeySet,
    /// When they are to be fetched again.
    pub lifetime: Duration,
}

/// Why there are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The URL is none, or none of HTTP.
    #[error("the URL is not usable")]
    Url,
    /// The authorities cannot be read, or the host cannot have a certificate.
    #[error("its certificate cannot be verified with the authorities that are configured")]
    Authorities,
    /// Its name has no address.
    #[error("its name has no address")]
    Unresolved,
    /// No connection could be made.
    #[error("no connection could be made")]
    Unreachable,
    /// The handshake failed.
    #[error("it has no certificate that is trusted, or does not speak TLS")]
    Handshake,
    /// It took too long.
    #[error("it did not answer in time")]
    Timeout,
    /// It hung up, or its answer violates HTTP.
    #[error("its answer is malformed")]
    Broken,
    /// It answered something else than 200.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// The answer is too long.
    #[error("its answer is longer than 256 KiB")]
    TooLarge,
    /// The answer is no set of keys.
    #[error("{0}")]
    Set(#[from] SetError),
}

/// Fetches the keys of one source.
#[derive(Clone)]
pub struct Fetcher {
    shared: Arc<Shared>,
    names: Arc<Names>,
    metrics: Arc<Metrics>,
}

/// A URL, taken apart.
struct Place {
    authority: Authority,
    target: String,
    port: u16,
    is_encrypted: bool,
}

impl Fetcher {
    /// For a source.
    pub fn new(shared: Arc<Shared>, names: Arc<Names>, metrics: Arc<Metrics>) -> Self {
        Self { shared, names, metrics }
    }

    /// Fetches the keys once.
    pub async fn fetch(self) -> Result<Fetched, Failure> {
        let outcome = self.try_addresses().await;
        self.metrics.keys_fetched(outcome.is_ok());
        outcome
    }

    async fn try_addresses(&self) -> Result<Fetched, Failure> {
        let place = Place::parse(&self.shared.source.url).ok_or(Failure::Url)?;
        let tls = match place.is_encrypted {
            true => {
                let authorities = &self.shared.source.authorities;
                let tls = Tls::verified(place.authority.host(), authorities);
                Some(tls.ok_or(Failure::Authorities)?)
            }
            false => None,
        };
        let mut last = Failure::Unresolved;
        for address in self.addresses(&place).await.into_iter().take(MOST_ADDRESSES) {
            match timeout(PATIENCE, ask(&place, address, tls.as_ref())).await {
                Ok(Ok(fetched)) => return Ok(fetched),
                Ok(Err(failure)) => last = failure,
                Err(_) => last = Failure::Timeout,
            }
        }
        Err(last)
    }

    async fn addresses(&self, place: &Place) -> Vec<SocketAddr> {
        if self.shared.source.upstream.is_some() {
            let endpoints = self.shared.endpoints.lock().clone();
            return endpoints.map(|upstream| upstream.addresses().to_vec()).unwrap_or_default();
        }
        let host = place.authority.host();
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return vec![SocketAddr::new(address, place.port)];
        }
        let found = self.names.find(&host.to_ascii_lowercase()).await;
        found.iter().map(|address| SocketAddr::new(*address, place.port)).collect()
    }
}

impl Place {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_encrypted = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?.clone();
        if authority.as_str().contains('@') {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Some(Self { authority, target, port, is_encrypted })
    }
}

async fn ask(place: &Place, address: SocketAddr, tls: Option<&Tls>) -> Result<Fetched, Failure> {
    let stream = TcpStream::connect(address).await.map_err(|_| Failure::Unreachable)?;
    match tls {
        None => ask_over(stream, place).await,
        Some(tls) => {
            let stream = tls.handshake(stream).await.map_err(|_| Failure::Handshake)?;
            ask_over(stream, place).await
        }
    }
}

async fn ask_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    place: &Place,
) -> Result<Fetched, Failure> {
    let request = Request::get(&place.target)
        .header(header::HOST, place.authority.as_str())
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(header::USER_AGENT, "headgate")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Failure::Url)?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|_| Failure::Broken)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|_| Failure::Broken)?;
        read(answer).await
    };
    // The connection does the work. It may end before everything that it has brought is taken.
    match select(std::pin::pin!(exchange), std::pin::pin!(connection)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right((_, exchange)) => exchange.await,
    }
}

async fn read(answer: Response<Incoming>) -> Result<Fetched, Failure> {
    let (parts, mut body) = answer.into_parts();
    if parts.status != StatusCode::OK {
        return Err(Failure::Status(parts.status));
    }
    let mut json = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Failure::Broken)?.into_data() else { continue };
        if json.len() + data.len() > MOST_BYTES {
            return Err(Failure::TooLarge);
        }
        json.extend_from_slice(&data);
    }
    Ok(Fetched { keys: KeySet::parse(&json)?, lifetime: lifetime(&parts.headers) })
}

/// How long an answer holds (RFC 9111 §5.2.2), within bounds.
fn lifetime(headers: &HeaderMap) -> Duration {
    let lines = headers.get_all(header::CACHE_CONTROL).iter();
    let words = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut said = None;
    for word in words.map(|word| word.trim().to_ascii_lowercase()) {
        if matches!(word.as_str(), "no-store" | "no-cache") {
            return SHORTEST;
        }
        let age = word.strip_prefix("max-age=").map(|age| age.trim_matches('"').parse::<u64>());
        if let Some(Ok(age)) = age {
            said = Some(age);
        }
    }
    let Some(said) = said else { return USUAL };
    let age = headers.get(header::AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(said.saturating_sub(age.unwrap_or(0))).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let parsed = |url| {
            let place = Place::parse(url)?;
            let host = place.authority.host().to_owned();
            Some((place.is_encrypted, host, place.port, place.target))
        };
        for (url, expected) in [
            ("http://i.test/keys", Some((false, "i.test", 80, "/keys"))),
            ("https://i.test/keys?a=b", Some((true, "i.test", 443, "/keys?a=b"))),
            ("HTTPS://i.test:8443", Some((true, "i.test", 8443, "/"))),
            ("http://[::1]:80/", Some((false, "[::1]", 80, "/"))),
            ("http://u@i.test/", None),
            ("ftp://i.test/", None),
            ("i.test/keys", None),
            ("/keys", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(tls, host, port, target)| (tls, host.into(), port, target.into()));
            assert_eq!(parsed(url), expected, "{url}");
        }
    }

    #[test]
    fn lifetimes_are_bounded() {
        for (lines, seconds) in [
            (&[][..], 300),
            (&[("cache-control", "max-age=600")][..], 600),
            (&[("cache-control", "public, Max-Age=\"600\", must-revalidate")], 600),
            (&[("cache-control", "public"), ("cache-control", "max-age=900")], 900),
            (&[("cache-control", "max-age=600"), ("age", "200")], 400),
            (&[("cache-control", "max-age=600"), ("age", "900")], 60),
            (&[("cache-control", "max-age=0")], 60),
            (&[("cache-control", "no-store, max-age=600")], 60),
            (&[("cache-control", "max-age=99999999")], 3600),
            (&[("cache-control", "max-age=-1")], 300),
            (&[("cache-control", "max-age=99999999999999999999999")], 300),
            (&[("cache-control", "s-maxage=600")], 300),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            assert_eq!(lifetime(&headers), Duration::from_secs(seconds), "{lines:?}");
        }
    }
}
