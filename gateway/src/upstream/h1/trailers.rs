//! Trailer sections in both directions. Fields that frame, route or protect a message have no place behind its body:
//! who merges them into the head would believe them there (RFC 9110 §6.5.1). No I/O.

use headgate_config::senders_own;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::field_name::is_alike;

/// Trailer fields that an answer may have.
const MAX_FIELDS: usize = 32;

/// The fields of an answer's trailer section, with its empty line. `None` if there are none, or if they cannot be read.
pub fn parse(section: &[u8]) -> Option<HeaderMap> {
    if section.len() <= b"\r\n".len() {
        return None;
    }
    let mut lines = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let Ok(httparse::Status::Complete((_, lines))) = httparse::parse_headers(section, &mut lines)
    else {
        return None;
    };
    let mut fields = HeaderMap::new();
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        if may_follow_message(&name) {
            fields.try_append(name, HeaderValue::from_bytes(line.value).ok()?).ok()?;
        }
    }
    Some(fields).filter(|fields| !fields.is_empty())
}

/// Of the fields behind an answer those that may be there; `None` if there are none.
pub fn kept(fields: HeaderMap) -> Option<HeaderMap> {
    filtered(fields, may_follow_message)
}

/// Of the client's fields behind a request those that may be there; `None` if there are none. `withheld` are the names
/// that the gateway decides about.
pub fn kept_of_request(fields: HeaderMap, withheld: &[String]) -> Option<HeaderMap> {
    filtered(fields, |name| may_follow_this_request(name, withheld))
}

fn filtered(fields: HeaderMap, may_stay: impl Fn(&HeaderName) -> bool) -> Option<HeaderMap> {
    let named = |name: Option<HeaderName>, last: &mut Option<HeaderName>| {
        *last = name.or(last.take());
        last.clone()
    };
    let mut last = None;
    let mut kept = HeaderMap::new();
    for (name, value) in fields {
        // Further values of a name come without it.
        let Some(name) = named(name, &mut last) else { continue };
        if may_stay(&name) {
            kept.append(name, value);
        }
    }
    Some(kept).filter(|kept| !kept.is_empty())
}

/// The end of a chunked request: the last chunk and the trailer section, of the client's fields those that may be in
/// it. `withheld` are the names that the gateway decides about.
pub fn write_end(fields: Option<&HeaderMap>, withheld: &[String]) -> Vec<u8> {
    let mut out = b"0\r\n".to_vec();
    for (name, value) in fields.into_iter().flatten() {
        if may_follow_this_request(name, withheld) {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn may_follow_this_request(name: &HeaderName, withheld: &[String]) -> bool {
    may_follow_request(name) && !withheld.iter().any(|other| is_alike(other, name.as_str()))
}

/// Whether a field of a client may be behind the body of its request. Beyond what no message may have there this
/// excludes what the gateway or the upstream decides by: conditions, credentials, and who the client is.
pub fn may_follow_request(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 8] = [
        "if-",
        "sec-",
        "ssl-client",
        "x-auth",
        "x-forwarded",
        "x-original",
        "x-rewrite",
        "x-http-method",
    ];
    let text = name.as_str();
    may_follow_message(name)
        // As in heads: the same name may mean another one behind the gateway.
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        && !matches!(
            text,
            "cf-connecting-ip"
                | "client-ip"
                | "forwarded"
                | "http2-settings"
                | "origin"
                | "pragma"
                | "proxy"
                | "range"
                | "referer"
                | "true-client-ip"
                | "via"
                | "x-client-ip"
                | "x-cluster-client-ip"
                | "x-code"
                | "x-format"
                | "x-ingress-name"
                | "x-method-override"
                | "x-namespace"
                | "x-real-ip"
                | "x-request-id"
                | "x-scheme"
                | "x-service-name"
                | "x-service-port"
        )
}

/// Whether a field may be behind the body of any message.
fn may_follow_message(name: &HeaderName) -> bool {
    !matches!(
        name.as_str(),
        senders_own!()
            | "set-cookie"
            | "cookie"
            | "authorization"
            | "www-authenticate"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "authentication-info"
            | "proxy-authentication-info"
            | "cache-control"
            | "age"
            | "date"
            | "expires"
            | "location"
            | "retry-after"
            | "vary"
            | "warning"
            | "content-encoding"
            | "content-type"
            | "content-range"
            | "max-forwards"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(lines: &[(&'static str, &'static str)]) -> String {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_static(value));
        }
        let withheld = ["X_User".to_owned()];
        let text = String::from_utf8(write_end(Some(&fields), &withheld)).unwrap();
        // Both ways to send them agree.
        let kept = kept_of_request(fields, &withheld);
        assert_eq!(kept.map_or(0, |kept| kept.len()), text.matches(": ").count());
        text
    }

    #[test]
    fn fields_of_a_request_follow_its_last_chunk() {
        assert_eq!(write_end(None, &[]), b"0\r\n\r\n");
        let lines = [("x-sum", "7"), ("server-timing", "a"), ("x-sum", "8")];
        assert_eq!(written(&lines), "0\r\nx-sum: 7\r\nx-sum: 8\r\nserver-timing: a\r\n\r\n");
    }

    #[test]
    fn what_frames_routes_or_protects_a_request_does_not_follow_it() {
        for name in [
            "content-length",
            "transfer-encoding",
            "te",
            "trailer",
            "connection",
            "upgrade",
            "host",
            "expect",
            "if-match",
            "range",
            "cookie",
            "authorization",
            "proxy-authorization",
            "ssl-client-verify",
            "x-auth-request-user",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-prefix",
            "x-real-ip",
            "x-request-id",
            "x-scheme",
            "x-original-uri",
            "x-http-method-override",
            "content-type",
            "x_forwarded_for",
            "x.dot",
            "x-user",
        ] {
            assert_eq!(written(&[(name, "1")]), "0\r\n\r\n", "{name}");
        }
    }

    #[test]
    fn fields_of_an_answer_are_read_but_for_what_frames_or_protects_it() {
        let fields = parse(b"X-Sum: 7\r\nContent-Length: 9\r\nSet-Cookie: a\r\n\r\n").unwrap();
        assert_eq!(fields.len(), 1);
        assert_eq!(fields["x-sum"], "7");
        assert_eq!(parse(b"Set-Cookie: a\r\n\r\n"), None);
        assert_eq!(parse(b"\r\n"), None);
        assert_eq!(parse(b"no field\r\n\r\n"), None);
    }
}
