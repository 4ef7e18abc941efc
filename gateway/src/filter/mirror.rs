//! What a copy of a request looks like, and where it goes (annotations §3.20). No I/O.

use std::sync::Arc;

use headgate_config as config;
use http::{HeaderMap, HeaderValue, header};

use super::{
    request_headers::{self, Override, VIA},
    url::{Destination, Url},
    variables::Variables,
};

/// Where copies go, in the form in which requests use it.
pub struct Mirror {
    /// As configured.
    pub spec: Arc<config::Mirror>,
    url: Url,
}

/// A copy of one request, but for what it has of it as it is.
pub struct Copy {
    /// Where it goes.
    pub destination: Destination,
    /// Its `Host`.
    pub host: Vec<u8>,
}

impl Mirror {
    /// Compiles `spec`; `None` if it is no URL.
    pub fn new(spec: &Arc<config::Mirror>) -> Option<Self> {
        let url = Url::parse(&spec.target, || spec.default_path.clone())?;
        Some(Self { spec: Arc::clone(spec), url })
    }

    /// The copy of a request; `None` if what the client sent makes no URL or header.
    pub fn copy(&self, variables: &Variables<'_>) -> Option<Copy> {
        let mut destination = self.url.destination(variables)?;
        let query = variables.query;
        if !self.spec.target.contains('$') && !query.is_empty() {
            let separator = if destination.target.contains(&b'?') { b'&' } else { b'?' };
            destination.target.push(separator);
            destination.target.extend_from_slice(query);
        }
        let host = match &self.spec.host {
            Some(host) => variables.expand(host),
            None => destination.place.host.clone().into_bytes(),
        };
        let is_fine = request_headers::is_value(&host)
            && destination.target.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
        is_fine.then_some(Copy { destination, host })
    }
}

/// What a copy has of the gateway's own: that it was here, too, so that copies of copies come to an end.
pub fn own_headers(client: &HeaderMap) -> [Override<'static>; 1] {
    let before = client.get_all(header::VIA).iter().map(HeaderValue::as_bytes);
    let hops: Vec<_> = before.chain([VIA.as_bytes()]).collect();
    [Override::set("Via", hops.join(&b", "[..]))]
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    /// Target and `Host` of the copy of `GET /a?b=c` for `a.test`.
    fn copy(target: &str, host: Option<&str>, query: &[u8]) -> Option<(String, String)> {
        let spec = config::Mirror {
            target: target.into(),
            default_path: "/_mirror".into(),
            upstream: None,
            host: host.map(Into::into),
            with_body: true,
        };
        let variables = Variables {
            method: &Method::GET,
            headers: &HeaderMap::new(),
            underscores: false,
            host: b"a.test",
            http_host: b"a.test:81",
            best_host: b"a.test:81",
            scheme: b"http",
            listener_scheme: b"http",
            listener_port: b"80",
            client_ip: b"192.0.2.1",
            target: b"/a?b=c",
            path: b"/a",
            query,
            request_id: b"",
            origin: &config::Origin::default(),
            connection: None,
            span: None,
        };
        let copy = Mirror::new(&Arc::new(spec))?.copy(&variables)?;
        let text = |bytes| String::from_utf8(bytes).expect("a text");
        Some((text(copy.destination.target), text(copy.host)))
    }

    #[test]
    fn a_url_without_variables_gets_the_query() {
        for (url, target) in [
            ("http://m.test:8080/fixed", "/fixed?b=c"),
            ("http://m.test:8080/fixed?x=1", "/fixed?x=1&b=c"),
            ("http://m.test:8080", "/_mirror?b=c"),
            ("http://m.test:8080$request_uri", "/a?b=c"),
            ("http://m.test:8080/on$uri", "/on/a"),
        ] {
            let expected = Some((target.to_owned(), "m.test".to_owned()));
            assert_eq!(copy(url, None, b"b=c"), expected, "{url}");
        }
        let plain = copy("http://m.test/fixed", None, b"").map(|(target, _)| target);
        assert_eq!(plain.as_deref(), Some("/fixed"));
    }

    #[test]
    fn the_host_may_be_another() {
        let host = |host| copy("http://m.test/", Some(host), b"").map(|(_, host)| host);
        assert_eq!(host("other.test").as_deref(), Some("other.test"));
        assert_eq!(host("$host").as_deref(), Some("a.test"));
    }

    #[test]
    fn what_is_no_target_is_not_copied() {
        assert_eq!(copy("http://m.test/x", None, b"a b"), None);
    }
}
