//! The head of the question to a service that decides whether a request may pass (annotations §3.7, "The sub-request").

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use super::{
    Client,
    bare::{Names, copy, is_of_connection},
    is_value, line,
};

/// Who asks, so that whoever is asked by way of itself notices (RFC 9110 §7.6.3).
pub const VIA: &str = "1.1 headgate";
/// Questions about questions that are asked at most.
const DEEPEST: usize = 3;

/// Whether a request is a question about a question, and so on, that does not end: the service is behind the location
/// that it is asked about.
pub fn is_endless(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(http::header::VIA).iter();
    let hops = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    hops.filter(|hop| hop.trim_ascii() == VIA.as_bytes()).count() >= DEEPEST
}

/// What is asked. Values need not be valid in a header: [`write`](Question::write) looks at them.
pub struct Question<'a> {
    /// The method of the question.
    pub method: &'a str,
    /// The target of the question.
    pub target: &'a [u8],
    /// The service's host, without a port.
    pub host: &'a [u8],
    /// Method of the request.
    pub original_method: &'a str,
    /// Scheme of the listener, `Host` header and raw target of the request.
    pub original_url: [&'a [u8]; 3],
    /// Where the client is to come back to.
    pub return_to: &'a [u8],
    /// Raw target and scheme of the request, where they are asked for.
    pub original_uri: Option<[&'a [u8]; 2]>,
    /// `X-Request-ID`, if there is one.
    pub request_id: Option<&'a [u8]>,
    /// Headers that are configured, by name and value; an empty one is not sent.
    pub extra: &'a [(&'a str, Vec<u8>)],
    /// What the client says about the request that it passes on is believed.
    pub believed: bool,
    /// The answer will be remembered for others: it must not depend on what this client has of it.
    pub remembered: bool,
    /// Drop names with characters outside `[A-Za-z0-9-]`; with `underscores`, `_` is fine.
    pub odd_names: bool,
    /// Names with `_` are fine.
    pub underscores: bool,
    /// The client's head as it came; empty where it had no text form.
    pub head: &'a [u8],
}

impl Question<'_> {
    /// The head; `None` if a value would break it.
    pub fn write(&self, client: &Client<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(1024);
        for part in [self.method.as_bytes(), b" ", self.target, b" HTTP/1.1\r\n"] {
            out.extend_from_slice(part);
        }
        let [scheme, host, target] = self.original_url;
        let url = [scheme, b"://", host, target].concat();
        let [original_uri, original_scheme] = self.original_uri.unwrap_or_default();
        let chain = client.chain.as_deref().unwrap_or(client.ip);
        let own = [
            ("Host", self.host),
            ("X-Original-URL", &*url),
            ("X-Original-Method", self.original_method.as_bytes()),
            ("X-Sent-From", b"nginx-ingress-controller"),
            ("X-Real-IP", client.ip),
            ("X-Forwarded-For", chain),
            ("X-Request-ID", self.request_id.unwrap_or_default()),
            ("X-Auth-Request-Redirect", self.return_to),
            ("X-Original-URI", original_uri),
            ("X-Scheme", original_scheme),
        ];
        let own = own.into_iter().filter(|(name, _)| !self.configures(name));
        let extra = self.extra.iter().map(|(name, value)| (*name, &**value));
        for (name, value) in own.chain(extra).filter(|(_, value)| !value.is_empty()) {
            if !is_value(value) {
                return None;
            }
            line(&mut out, name, value);
        }
        let names = Names { odd: self.odd_names, underscores: self.underscores, head: self.head };
        copy(client.headers, names, |name| self.may_send(name), &mut out);
        line(&mut out, "Via", VIA.as_bytes());
        out.extend_from_slice(b"\r\n");
        Some(out)
    }

    fn configures(&self, name: &str) -> bool {
        self.extra.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    /// Whether the client's header of this name is passed on.
    fn may_send(&self, name: &HeaderName) -> bool {
        let plain = match name.as_str() {
            odd if odd.contains('_') => Cow::Owned(odd.replace('_', "-")),
            plain => Cow::Borrowed(plain),
        };
        if self.configures(&plain) {
            return false;
        }
        match &*plain {
            // Decided here.
            "x-original-url"
            | "x-original-method"
            | "x-sent-from"
            | "x-real-ip"
            | "x-forwarded-for"
            | "x-forwarded-proto"
            | "x-request-id"
            | "x-auth-request-redirect" => false,
            // Of the connection, or of a body, which is not sent.
            text if is_of_connection(text) => false,
            // Other names for what is asked for: who may choose them chooses what is decided about.
            "x-original-uri" | "x-scheme" => self.believed && self.original_uri.is_none(),
            "forwarded" | "x-forwarded-host" | "x-forwarded-method" | "x-forwarded-path"
            | "x-forwarded-port" | "x-forwarded-prefix" | "x-forwarded-scheme"
            | "x-forwarded-server" | "x-forwarded-uri" | "x-original-host" | "x-rewrite-url" => {
                self.believed
            }
            "if-match"
            | "if-none-match"
            | "if-modified-since"
            | "if-unmodified-since"
            | "if-range"
            | "range" => !self.remembered,
            // Nobody has verified a certificate here.
            text => !text.starts_with("ssl-client-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(headers: &HeaderMap) -> Client<'_> {
        Client {
            ip: b"192.0.2.1",
            chain: None,
            best_host: b"a.test",
            port: b"80",
            scheme: b"http",
            is_behind_proxy: false,
            headers,
        }
    }

    fn question<'a>() -> Question<'a> {
        Question {
            method: "GET",
            target: b"/check",
            host: b"auth.svc",
            original_method: "POST",
            original_url: [b"http", b"a.test", b"/x?y"],
            return_to: b"/x?y",
            original_uri: None,
            request_id: Some(b"id"),
            extra: &[],
            believed: false,
            remembered: false,
            odd_names: false,
            underscores: false,
            head: b"",
        }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn written(question: &Question<'_>, lines: &[(&'static str, &'static str)]) -> Vec<String> {
        let headers = headers(lines);
        let head = String::from_utf8(question.write(&client(&headers)).unwrap()).unwrap();
        let head = head.strip_suffix("\r\nVia: 1.1 headgate\r\n\r\n").expect("the end");
        head.split("\r\n").map(str::to_owned).collect()
    }

    const PLAIN: [&str; 9] = [
        "GET /check HTTP/1.1",
        "Host: auth.svc",
        "X-Original-URL: http://a.test/x?y",
        "X-Original-Method: POST",
        "X-Sent-From: nginx-ingress-controller",
        "X-Real-IP: 192.0.2.1",
        "X-Forwarded-For: 192.0.2.1",
        "X-Request-ID: id",
        "X-Auth-Request-Redirect: /x?y",
    ];

    #[test]
    fn the_clients_headers_go_along() {
        let lines =
            [("authorization", "Bearer t"), ("cookie", "a=1"), ("cookie", "b=2"), ("x", "1")];
        let mut expected = PLAIN.to_vec();
        expected.extend(["authorization: Bearer t", "x: 1", "cookie: a=1; b=2"]);
        assert_eq!(written(&question(), &lines), expected);
    }

    #[test]
    fn what_is_decided_here_and_what_is_of_the_connection_does_not() {
        let names = [
            "host",
            "x-original-url",
            "x-original-method",
            "x_original_url",
            "x-sent-from",
            "x-real-ip",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-request-id",
            "x-auth-request-redirect",
            "connection",
            "te",
            "upgrade",
            "content-length",
            "transfer-encoding",
            "expect",
            "x-original-uri",
            "x-scheme",
            "x-forwarded-uri",
            "x-forwarded-method",
            "x-forwarded-host",
            "forwarded",
            "ssl-client-verify",
        ];
        let lines: Vec<_> = names.into_iter().map(|name| (name, "forged")).collect();
        assert_eq!(written(&question(), &lines), PLAIN);
        let believed = Question { believed: true, ..question() };
        let lines = [("x-forwarded-host", "b.test"), ("x-forwarded-proto", "https")];
        assert_eq!(written(&believed, &lines)[9..], ["x-forwarded-host: b.test"]);
    }

    #[test]
    fn what_is_configured_goes_over_all_else() {
        let extra = [("X-Real-IP", b"me".to_vec()), ("X-A", b"1".to_vec()), ("X-B", Vec::new())];
        let own = Question { extra: &extra, original_uri: Some([b"/x?y", b"https"]), ..question() };
        let found = written(&own, &[("x-a", "forged"), ("x-b", "forged"), ("x-original-uri", "/")]);
        let mut expected = PLAIN.to_vec();
        expected.retain(|line| !line.starts_with("X-Real-IP"));
        expected.extend(["X-Original-URI: /x?y", "X-Scheme: https", "X-Real-IP: me", "X-A: 1"]);
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_remembered_does_not_depend_on_what_the_client_has() {
        let lines = [("range", "bytes=0-1"), ("if-none-match", "*")];
        assert_eq!(written(&question(), &lines).len(), PLAIN.len() + 2);
        assert_eq!(written(&Question { remembered: true, ..question() }, &lines), PLAIN);
    }

    #[test]
    fn questions_about_questions_end() {
        let mut lines = vec![("via", "1.1 cdn, 1.1 headgate"), ("via", "1.1 headgate")];
        assert!(!is_endless(&headers(&lines)));
        lines.push(("via", "1.1 headgate, 1.1 cdn"));
        assert!(is_endless(&headers(&lines)));
    }

    #[test]
    fn a_value_that_would_break_the_head_is_not_written() {
        let extra = [("X-A", b"1\r\nX-B: 2".to_vec())];
        let headers = HeaderMap::new();
        assert_eq!(Question { extra: &extra, ..question() }.write(&client(&headers)), None);
        let broken = Question { original_url: [b"http", b"a\n", b"/"], ..question() };
        assert_eq!(broken.write(&client(&headers)), None);
    }
}
