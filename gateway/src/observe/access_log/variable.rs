//! The variables that a log format may contain.

use crate::observe::spans::Span;
use http::{HeaderName, Version};

use super::{
    AccessRecord, Escape,
    attempts::Upstream,
    clock::Now,
    number::{push_number, push_padded, push_seconds},
    user::basic_user,
};

/// A variable of a log format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// Printed as it is: numbers and times that nobody outside chooses.
    Plain(Plain),
    /// Text that is escaped.
    Text(Text),
    /// One value per try.
    Upstream(Upstream),
    /// A captured request header, by its index.
    Header(usize),
    /// A cookie, by the index of the captured header and its name.
    Cookie(usize, Box<[u8]>),
    /// A parameter of the query, by its name.
    Argument(Box<[u8]>),
    /// The captured `X-Forwarded-For` with the client's address appended.
    ForwardedFor(usize),
}

macro_rules! variables {
    ($(#[$doc:meta])* $type:ident { $($variant:ident = $($name:literal)|+,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $type {
            $($variant,)+
        }

        impl $type {
            /// The variable of this name.
            pub(super) fn named(name: &str) -> Option<Self> {
                Some(match name {
                    $($($name)|+ => Self::$variant,)+
                    _ => return None,
                })
            }
        }
    };
}

pub(super) use variables;

variables! {
    /// Variables that need no escaping.
    Plain {
        Status = "status",
        BodyBytesSent = "body_bytes_sent",
        BytesSent = "bytes_sent",
        RequestLength = "request_length",
        RequestTime = "request_time",
        TimeLocal = "time_local",
        TimeIso = "time_iso8601",
        Milliseconds = "msec",
        Connection = "connection",
        ConnectionRequests = "connection_requests",
        Pipe = "pipe",
        RemotePort = "remote_port",
        ServerAddr = "server_addr",
        ServerPort = "server_port",
    }
}

variables! {
    /// Variables with one text value.
    Text {
        RemoteAddr = "remote_addr" | "the_real_ip",
        PeerAddr = "realip_remote_addr",
        RemoteUser = "remote_user",
        Request = "request",
        Method = "request_method",
        Target = "request_uri",
        Path = "uri" | "document_uri",
        Query = "args" | "query_string",
        IsArgs = "is_args",
        Protocol = "server_protocol",
        Scheme = "scheme",
        AccessScheme = "pass_access_scheme",
        AccessPort = "pass_port" | "pass_server_port",
        Https = "https",
        Http2 = "http2",
        Host = "host",
        ServerName = "server_name",
        Referer = "http_referer",
        UserAgent = "http_user_agent",
        UpstreamName = "proxy_upstream_name",
        AlternativeUpstreamName = "proxy_alternative_upstream_name",
        RequestId = "req_id" | "request_id",
        Namespace = "namespace",
        IngressName = "ingress_name",
        ServiceName = "service_name",
        ServicePort = "service_port",
        LocationPath = "location_path",
        TlsProtocol = "ssl_protocol",
        TlsCipher = "ssl_cipher",
        TlsServerName = "ssl_server_name",
        ClientSubject = "ssl_client_s_dn",
        ClientIssuer = "ssl_client_i_dn",
        ClientVerify = "ssl_client_verify",
        TraceId = "opentelemetry_trace_id",
        SpanId = "opentelemetry_span_id",
        TraceParent = "opentelemetry_context_traceparent",
        TraceState = "opentelemetry_context_tracestate",
        Unset = "proxy_protocol_addr" | "proxy_protocol_port" | "gzip_ratio",
    }
}

impl Variable {
    /// The variable of this name. Request headers that it needs are added to `headers`.
    pub(super) fn named(name: &str, headers: &mut Vec<HeaderName>) -> Option<Self> {
        let plain = || Plain::named(name).map(Self::Plain);
        let text = || Text::named(name).map(Self::Text);
        let upstream = || Upstream::named(name).map(Self::Upstream);
        plain().or_else(text).or_else(upstream).or_else(|| Self::with_parameter(name, headers))
    }

    fn with_parameter(name: &str, headers: &mut Vec<HeaderName>) -> Option<Self> {
        let mut capture = |name: &str| {
            let name = HeaderName::try_from(name.replace('_', "-")).ok()?;
            let known = headers.iter().position(|known| *known == name);
            Some(known.unwrap_or_else(|| {
                headers.push(name);
                headers.len() - 1
            }))
        };
        match name {
            "best_http_host" => return capture("host").map(Self::Header),
            "content_type" | "content_length" => return capture(name).map(Self::Header),
            "proxy_add_x_forwarded_for" => {
                return capture("x_forwarded_for").map(Self::ForwardedFor);
            }
            _ => {}
        }
        if let Some(name) = name.strip_prefix("http_") {
            capture(name).map(Self::Header)
        } else if let Some(name) = name.strip_prefix("cookie_") {
            capture("cookie").map(|index| Self::Cookie(index, name.as_bytes().into()))
        } else {
            let name = name.strip_prefix("arg_")?;
            Some(Self::Argument(name.as_bytes().into()))
        }
    }

    /// Appends the variable's value.
    pub(super) fn write(
        &self,
        line: &mut Vec<u8>,
        record: &AccessRecord<'_>,
        now: &Now,
        escape: Escape,
    ) {
        let header =
            |index: usize| record.captured.get(index)?.as_ref().map(|value| value.as_bytes());
        let value = match self {
            Self::Plain(plain) => return plain.write(line, record, now),
            Self::Upstream(upstream) => return upstream.write(line, record.attempts, escape),
            Self::Text(Text::Request) => return write_request(line, record, escape),
            Self::Text(Text::RemoteUser) => {
                return match record.authorization.and_then(basic_user) {
                    Some(user) => escape.write(line, &user),
                    None => escape.write_missing(line),
                };
            }
            Self::Text(text) => text.value(record),
            Self::Header(index) => header(*index),
            Self::Cookie(index, name) => header(*index).and_then(|cookies| cookie(cookies, name)),
            Self::Argument(name) => argument(query(record.target), name),
            Self::ForwardedFor(index) => {
                if let Some(value) = header(*index) {
                    escape.write(line, value);
                    line.extend_from_slice(b", ");
                }
                Some(record.remote_addr.as_bytes())
            }
        };
        match value {
            Some(value) => escape.write(line, value),
            None => escape.write_missing(line),
        }
    }
}

impl Plain {
    fn write(self, line: &mut Vec<u8>, record: &AccessRecord<'_>, now: &Now) {
        match self {
            Self::Status => push_padded(line, record.status.into(), 3),
            Self::BodyBytesSent => push_number(line, record.body_bytes_sent),
            Self::BytesSent => push_number(line, record.bytes_sent),
            Self::RequestLength => push_number(line, record.request_length),
            Self::RequestTime => push_seconds(line, record.request_time),
            Self::TimeLocal => line.extend_from_slice(now.local.as_bytes()),
            Self::TimeIso => line.extend_from_slice(now.iso.as_bytes()),
            Self::Milliseconds => push_seconds(line, now.since_epoch),
            Self::Connection => push_number(line, record.connection),
            Self::ConnectionRequests => push_number(line, record.connection_requests),
            Self::Pipe => line.push(b'.'),
            Self::RemotePort => push_number(line, record.remote_port.into()),
            Self::ServerAddr => {
                if let Some(server) = record.server {
                    line.extend_from_slice(server.ip().to_canonical().to_string().as_bytes());
                }
            }
            Self::ServerPort => {
                push_number(line, record.server.map_or(0, |server| server.port()).into());
            }
        }
    }
}

impl Text {
    fn value<'a>(self, record: &AccessRecord<'a>) -> Option<&'a [u8]> {
        let origin = record.origin;
        let object = origin.and_then(|origin| origin.object.as_ref());
        let flag = |set: bool, text: &'static str| if set { text } else { "" };
        let is_http2 = record.version == Version::HTTP_2;
        let span = |name| Span::variable(record.span, name).and_then(present);
        let text = match self {
            Self::Target => return present(record.target),
            Self::Path => return present(record.path),
            Self::Method => return present(record.method.as_bytes()),
            Self::Query => return query(record.target),
            Self::Host => return Some(record.host),
            Self::AccessScheme => return Some(record.access_scheme),
            Self::AccessPort => return Some(record.access_port),
            Self::Referer => return record.referer,
            Self::UserAgent => return record.user_agent,
            Self::RequestId => return Some(record.request_id),
            Self::Unset | Self::Request | Self::RemoteUser => return None,
            Self::RemoteAddr => record.remote_addr,
            Self::PeerAddr => record.peer_addr.unwrap_or(record.remote_addr),
            Self::IsArgs => flag(query(record.target).is_some(), "?"),
            Self::Protocol => {
                present(record.method.as_bytes()).map(|_| protocol(record.version))?
            }
            Self::Scheme => record.scheme,
            Self::Https => flag(record.tls.is_some(), "on"),
            Self::Http2 => match (is_http2, record.tls) {
                (true, Some(_)) => "h2",
                (true, None) => "h2c",
                (false, _) => "",
            },
            Self::ServerName => record.server_name,
            Self::UpstreamName => match record.upstream_name {
                "" => "-",
                name => name,
            },
            Self::AlternativeUpstreamName => record.alternative_upstream_name,
            Self::Namespace => object.map_or("", |object| &object.namespace),
            Self::IngressName => object.map_or("", |object| &object.name),
            Self::ServiceName => origin.map_or("", |origin| &origin.service),
            Self::ServicePort => origin.map_or("", |origin| &origin.port),
            Self::LocationPath => origin.map_or("", |origin| &origin.path),
            Self::TlsProtocol => record.tls?.protocol,
            Self::TlsCipher => record.tls?.cipher,
            Self::TlsServerName => record.tls?.server_name?,
            Self::ClientSubject => return present(record.tls?.client_subject.as_bytes()),
            Self::ClientIssuer => return present(record.tls?.client_issuer.as_bytes()),
            Self::ClientVerify => record.tls?.client_verify?,
            Self::TraceId => return span("opentelemetry_trace_id"),
            Self::SpanId => return span("opentelemetry_span_id"),
            Self::TraceParent => return span("opentelemetry_context_traceparent"),
            Self::TraceState => return span("opentelemetry_context_tracestate"),
        };
        Some(text.as_bytes())
    }
}

/// The request line: as received if it could not be parsed, else put together again.
fn write_request(line: &mut Vec<u8>, record: &AccessRecord<'_>, escape: Escape) {
    match record.request_line {
        Some(text) => escape.write(line, text),
        None if record.method.is_empty() => escape.write_missing(line),
        None => {
            escape.write(line, record.method.as_bytes());
            line.push(b' ');
            escape.write(line, record.target);
            line.push(b' ');
            line.extend_from_slice(protocol(record.version).as_bytes());
        }
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// What follows the first `?`; none if that is nothing.
fn query(target: &[u8]) -> Option<&[u8]> {
    let at = memchr::memchr(b'?', target)?;
    Some(&target[at + 1..]).filter(|query| !query.is_empty())
}

/// The value of the first parameter of this name, without regard to case, as the reference compares them.
fn argument<'a>(query: Option<&'a [u8]>, name: &[u8]) -> Option<&'a [u8]> {
    query?.split(|byte| *byte == b'&').find_map(|pair| {
        let (own, value) = pair.split_at_checked(name.len())?;
        value.strip_prefix(b"=").filter(|_| own.eq_ignore_ascii_case(name))
    })
}

/// The value of the first cookie of this name, up to the next `;`. Names are compared without regard to case, and
/// end at a comma, too, as in the reference.
fn cookie<'a>(mut cookies: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    loop {
        if let Some(value) = value_of(cookies, name) {
            return value.split(|byte| *byte == b';').next();
        }
        let end = memchr::memchr2(b';', b',', cookies)?;
        cookies = cookies[end + 1..].trim_ascii_start();
    }
}

/// What follows `name`, blanks, `=` and blanks.
fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (own, value) = pair.split_at_checked(name.len())?;
    let value = value.trim_ascii_start().strip_prefix(b"=")?;
    own.eq_ignore_ascii_case(name).then(|| value.trim_ascii_start())
}

/// Text that is missing where it is empty, because the request could not be parsed.
fn present(text: &[u8]) -> Option<&[u8]> {
    Some(text).filter(|text| !text.is_empty())
}
