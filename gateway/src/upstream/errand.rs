//! One request beside the workers, over a connection of its own: for keys of tokens, and for what is known about
//! certificates. Redirects are not followed: who is asked is said by the configuration.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header, uri::Authority};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{names::Names, tls::Tls};

/// Addresses that are tried, one after the other.
const MOST_ADDRESSES: usize = 3;

/// Why there is no answer.
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
    #[error("its answer is longer than {0} KiB")]
    TooLarge(usize),
}

/// A URL, taken apart.
pub struct Place {
    authority: Authority,
    target: String,
    port: u16,
    is_encrypted: bool,
}

/// What is asked.
pub struct Errand {
    /// What is sent along with `POST`; without it the method is `GET`.
    pub body: Option<(HeaderValue, Bytes)>,
    /// The kinds of answers that are understood.
    pub accept: HeaderValue,
    /// A longer answer is none; in bytes.
    pub most: usize,
    /// Limit for one address, from connecting to the last byte.
    pub patience: Duration,
}

/// An answer of 200.
#[derive(Debug)]
pub struct Answer {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Place {
    /// Takes an absolute URL of HTTP apart; none with a user name.
    pub fn parse(url: &str) -> Option<Self> {
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

    /// Where that is. A name is looked up as it stands, without search domains.
    pub async fn addresses(&self, names: &Names) -> Vec<SocketAddr> {
        let host = self.authority.host();
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return vec![SocketAddr::new(address, self.port)];
        }
        let found = names.find(&host.to_ascii_lowercase()).await;
        found.iter().map(|address| SocketAddr::new(*address, self.port)).collect()
    }

    /// How connections to it are encrypted, if they are: for a server that has a certificate of `authorities`, or of one
    /// that everybody trusts if there are none.
    ///
    /// # Errors
    ///
    /// [`Failure::Authorities`].
    pub fn tls(&self, authorities: &[Vec<u8>]) -> Result<Option<Tls>, Failure> {
        if !self.is_encrypted {
            return Ok(None);
        }
        let tls = Tls::verified(self.authority.host(), authorities);
        tls.map(Some).ok_or(Failure::Authorities)
    }
}

impl Errand {
    /// Asks at the first of these addresses that answers with 200.
    ///
    /// # Errors
    ///
    /// Why the last of them did not.
    pub async fn run(
        &self,
        place: &Place,
        addresses: Vec<SocketAddr>,
        tls: Option<&Tls>,
    ) -> Result<Answer, Failure> {
        let mut last = Failure::Unresolved;
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            match timeout(self.patience, self.ask(place, address, tls)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => last = failure,
                Err(_) => last = Failure::Timeout,
            }
        }
        Err(last)
    }

    async fn ask(
        &self,
        place: &Place,
        address: SocketAddr,
        tls: Option<&Tls>,
    ) -> Result<Answer, Failure> {
        let stream = TcpStream::connect(address).await.map_err(|_| Failure::Unreachable)?;
        match tls {
            None => self.ask_over(stream, place).await,
            Some(tls) => {
                let stream = tls.handshake(stream).await.map_err(|_| Failure::Handshake)?;
                self.ask_over(stream, place).await
            }
        }
    }

    async fn ask_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        place: &Place,
    ) -> Result<Answer, Failure> {
        let request = self.request(place)?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|_| Failure::Broken)?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(|_| Failure::Broken)?;
            read(answer, self.most).await
        };
        // The connection does the work. It may end before everything that it has brought is taken.
        match select(std::pin::pin!(exchange), std::pin::pin!(connection)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((_, exchange)) => exchange.await,
        }
    }

    fn request(&self, place: &Place) -> Result<Request<Full<Bytes>>, Failure> {
        let request = match &self.body {
            None => Request::get(&place.target),
            Some((kind, _)) => Request::post(&place.target).header(header::CONTENT_TYPE, kind),
        };
        let body = self.body.as_ref().map(|(_, body)| body.clone());
        request
            .header(header::HOST, place.authority.as_str())
            .header(header::ACCEPT, &self.accept)
            .header(header::USER_AGENT, "headgate")
            .header(header::CONNECTION, "close")
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|_| Failure::Url)
    }
}

async fn read(answer: Response<Incoming>, most: usize) -> Result<Answer, Failure> {
    let (parts, mut body) = answer.into_parts();
    if parts.status != StatusCode::OK {
        return Err(Failure::Status(parts.status));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Failure::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(Failure::TooLarge(most / 1024));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Answer { headers: parts.headers, body: bytes })
}

/// A URL without what may be a secret: user names, passwords and queries.
pub fn shown(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = plain.split_once("://") else { return plain.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
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
}
