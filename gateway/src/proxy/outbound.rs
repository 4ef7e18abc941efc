//! The head of a request as an upstream gets it.

use std::borrow::Cow;

use headgate_config::{ConnectionHeader, Origin, ProxySettings};
use http::{HeaderMap, HeaderValue, Method, Version, header};

use super::{exchange::Exchange, inbound::Inbound};
use crate::{
    field_name::is_alike,
    filter::request_headers::{self, Bare, Client, Framing, Names, Originals, Override, Rules},
    live::LiveConfig,
    upstream::over::Over,
};

/// A request as it is sent upstream, except for its body.
pub struct Outbound<'a> {
    /// The target of a rewrite; otherwise the client's own is sent, byte for byte (routing §6).
    pub rewritten: Option<HeaderValue>,
    /// `X-Forwarded-Prefix` of a rewrite. In a box: few have one.
    pub prefix: Option<Box<HeaderValue>>,
    /// Headers that are decided by what protects the location, or by who stands in for its upstream.
    pub overrides: Vec<Override<'a>>,
    /// Headers that the configuration sends to every upstream.
    pub configured: Vec<Override<'a>>,
    /// How it is sent; none is HTTP/1 in clear.
    pub over: Option<Box<Over<'a>>>,
    /// The request as it came.
    pub inbound: &'a Inbound,
    client: Client<'a>,
    host: Option<HeaderValue>,
    /// The method, if it is not the client's.
    method: Option<&'static Method>,
    /// It asks an error backend for a page, and has only those headers of the gateway's own that `overrides` says.
    is_for_error: bool,
}

impl<'a> Outbound<'a> {
    /// The request of a client; `host` replaces its `Host`.
    pub fn new(inbound: &'a Inbound, client: Client<'a>, host: Option<HeaderValue>) -> Self {
        Self {
            rewritten: None,
            prefix: None,
            overrides: Vec::new(),
            configured: Vec::new(),
            over: None,
            inbound,
            client,
            host,
            method: None,
            is_for_error: false,
        }
    }

    /// Takes over the request's place in its trace, and what snippets decide, now that all that protects has had its say.
    pub fn settle(&mut self, exchange: &mut Exchange) {
        self.overrides.extend(exchange.span.iter().flat_map(|span| span.headers()));
        for header in std::mem::take(&mut exchange.snippet_headers) {
            if !self.overrides.iter().any(|known| is_alike(&known.name, &header.name)) {
                self.overrides.push(header);
            }
        }
    }

    /// Tells the upstream, which stands in for one without endpoints, for which location it does.
    pub fn explain_fallback(&mut self, origin: &'a Origin) {
        self.over = None;
        self.overrides.extend(explain(503, origin, self.client.headers));
    }

    /// Asks an error backend for what stands in for an answer of this status: `/` with the query of the request, and the
    /// headers of annotations §3.19, table A.
    pub fn ask_for_error(&mut self, status: u16, origin: &'a Origin, id: Option<&HeaderValue>) {
        let raw = self.inbound.raw_target();
        let query = raw.splitn(2, |byte| *byte == b'?').nth(1).unwrap_or_default();
        let target = if query.is_empty() { b"/".to_vec() } else { [b"/?", query].concat() };
        self.rewritten =
            HeaderValue::from_bytes(&target).ok().or(Some(HeaderValue::from_static("/")));
        self.is_for_error = true;
        self.over = None;
        self.overrides.extend(explain(status, origin, self.client.headers));
        self.overrides.push(Override::set("X-Original-URI", raw));
        self.overrides.push(Override::set("X-Forwarded-For", self.client.ip));
        let id = id.map(|id| Cow::Owned(id.as_bytes().to_vec()));
        self.overrides.push(Override { name: "X-Request-ID".into(), value: id });
    }

    /// Whether an error backend is asked.
    pub fn is_for_error(&self) -> bool {
        self.is_for_error
    }

    /// Asks for a page instead of what the client has asked for; its body is not sent.
    pub fn ask_for_page(&mut self, target: &HeaderValue) {
        self.rewritten = Some(target.clone());
        let is_head = self.inbound.parts.method == Method::HEAD;
        self.method = Some(if is_head { &Method::HEAD } else { &Method::GET });
    }

    /// Whether a page is asked for instead of what the client has asked for.
    pub fn is_for_page(&self) -> bool {
        self.method.is_some()
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.method.unwrap_or(&self.inbound.parts.method)
    }

    /// The protocol that the client wants to change to.
    pub fn upgrade(&self) -> Option<&HeaderValue> {
        self.inbound.upgrade().filter(|_| !self.is_for_page() && !self.is_for_error)
    }

    /// Only path and query are sent, also of an absolute target.
    fn target(&self) -> &[u8] {
        self.rewritten.as_ref().map_or(self.inbound.raw_target(), HeaderValue::as_bytes)
    }

    /// Names of headers that are decided about: no trailer field of a client has one of them.
    pub fn decided(&self) -> Vec<&str> {
        self.overrides.iter().chain(&self.configured).map(|header| &*header.name).collect()
    }

    /// Appends the head as it is sent; `framing` says how the body follows.
    pub fn write_head(
        &self,
        exchange: &Exchange,
        live: &LiveConfig,
        proxy: &ProxySettings,
        framing: Framing,
        out: &mut Vec<u8>,
    ) {
        let spec = &live.settings.spec;
        let odd_names = self.inbound.head.odd_names || exchange.version() == Version::HTTP_2;
        if self.is_for_error {
            let names = Names {
                odd: odd_names,
                underscores: spec.underscores_in_headers,
                head: &self.inbound.head.text,
            };
            let (method, target) = (self.method().as_str(), self.target());
            let (host, own) = (self.client.best_host, &*self.overrides);
            let head = Bare { method, target, host, own, framing, names };
            return head.write(self.client.headers, out);
        }
        let version: &[u8] = if proxy.http10 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" };
        for part in [self.method().as_str().as_bytes(), b" ", self.target(), version] {
            out.extend_from_slice(part);
        }
        let target = self.inbound.raw_target();
        let rules = Rules {
            host: self.host.as_ref().map_or(self.client.best_host, HeaderValue::as_bytes),
            request_id: exchange.request_id().map(HeaderValue::as_bytes),
            prefix: self.prefix.as_deref().map(HeaderValue::as_bytes),
            original_uri: (spec.original_uri_header && request_headers::is_value(target))
                .then_some(target),
            odd_names,
            underscores: spec.underscores_in_headers,
            keep_invalid: spec.headers.keep_invalid,
            upgrade: self.upgrade(),
            close: spec.upstream_keepalive == 0,
            connection: proxy.connection.map(ConnectionHeader::text),
            framing,
            originals: Originals {
                addresses: &spec.forwarded.for_header,
                host: &spec.forwarded.host_header,
            },
            overrides: &self.overrides,
            configured: &self.configured,
            head: &self.inbound.head.text,
        };
        request_headers::write(&self.client, &rules, out);
    }
}

/// What both tables of annotations §3.19 have: in place of an answer of which status somebody is asked, and for which
/// location.
fn explain<'a>(status: u16, origin: &'a Origin, client: &'a HeaderMap) -> Vec<Override<'a>> {
    let (namespace, ingress) =
        origin.object.as_ref().map_or(("", ""), |object| (&*object.namespace, &*object.name));
    let mut headers: Vec<(&'static str, &'a [u8])> = vec![
        ("X-Namespace", namespace.as_bytes()),
        ("X-Ingress-Name", ingress.as_bytes()),
        ("X-Service-Name", origin.service.as_bytes()),
        ("X-Service-Port", origin.port.as_bytes()),
    ];
    headers.retain(|(_, text)| !text.is_empty() && request_headers::is_value(text));
    headers.extend(client.get(header::ACCEPT).map(|accept| ("X-Format", accept.as_bytes())));
    let code = Override::set("X-Code", status.to_string().into_bytes());
    let rest = headers.into_iter().map(|(name, text)| Override::set(name, text));
    std::iter::once(code).chain(rest).collect()
}
