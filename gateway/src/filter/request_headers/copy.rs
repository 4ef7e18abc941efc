//! What of a client's headers an upstream gets. No I/O.

use headgate_config::senders_own;
use http::{HeaderName, HeaderValue};
use memchr::memchr;
use smallvec::SmallVec;

use super::{Client, Framing, Rules, is_value, line, nominated::Nominated, spelling::Spelling};
use crate::{field_name::is_alike, upstream::h1::may_follow_request};

/// Writes what the client sent and may send.
pub(super) fn copy(client: &Client<'_>, rules: &Rules<'_>, out: &mut Vec<u8>) {
    let nominated = Nominated::new(client.headers);
    let mut spelling = Spelling::new(rules.head);
    let mut cookie: &[u8] = b"cookie";
    let mut cookies: SmallVec<[&[u8]; 4]> = SmallVec::new();
    for (name, value) in client.headers {
        if rules.decides(name.as_str()) || rules.replaces(name.as_str()) {
            continue;
        }
        for (original, sent_as) in [
            (rules.originals.addresses, "X-Original-Forwarded-For"),
            (rules.originals.host, "X-Original-Forwarded-Host"),
        ] {
            if name == original && !value.is_empty() && !rules.decides(sent_as) {
                line(out, sent_as, value.as_bytes());
            }
        }
        match fate(name) {
            Fate::Drop => {}
            Fate::Cookie => {
                cookie = spelling.of(name, value.len());
                cookies.push(value.as_bytes());
            }
            // Without chunks there is no place for what it announces.
            Fate::Trailer if rules.framing != Framing::Chunked => {}
            Fate::Trailer => {
                let names = announced(value, rules);
                if !names.is_empty() {
                    line(out, spelling.of(name, value.len()), &names);
                }
            }
            Fate::Prefix if rules.prefix.is_some() => {}
            Fate::OriginalUri if rules.original_uri.is_some() => {}
            Fate::Keep | Fate::Prefix | Fate::OriginalUri => {
                let odd = rules.odd_names
                    && ((!rules.keep_invalid && is_odd(name, rules.underscores))
                        || is_framing(name));
                if !odd && !nominated.drops(name) {
                    line(out, spelling.of(name, value.len()), value.as_bytes());
                }
            }
        }
    }
    if rules.keep_invalid {
        copy_invalid(rules, out);
    }
    // HTTP/2 splits cookies; upstreams of HTTP/1 expect one line (RFC 9113 §8.2.3).
    match cookies.as_slice() {
        [] => {}
        [one] => line(out, cookie, one),
        many => line(out, cookie, &many.join(&b"; "[..])),
    }
}

/// Writes the lines whose names are no names of headers: the library does not know them (`ignore-invalid-headers`).
fn copy_invalid(rules: &Rules<'_>, out: &mut Vec<u8>) {
    let lines = rules.head.split(|byte| *byte == b'\n').skip(1);
    for text in lines.map(|text| text.strip_suffix(b"\r").unwrap_or(text)) {
        let Some(colon) = memchr(b':', text) else { continue };
        let (name, value) = (&text[..colon], text[colon + 1..].trim_ascii());
        // What would end a line or a name was refused with the head; this does not depend on it.
        let is_passable = !name.is_empty() && name.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
        if is_passable && HeaderName::from_bytes(name).is_err() && is_value(value) {
            line(out, name, value);
        }
    }
}

enum Fate {
    Keep,
    Drop,
    Cookie,
    Trailer,
    Prefix,
    OriginalUri,
}

/// What happens to a header of the client, by its name.
fn fate(name: &HeaderName) -> Fate {
    match name.as_str() {
        "trailer" => Fate::Trailer,
        senders_own!()
        | "proxy"
        | "http2-settings"
        | "x-real-ip"
        | "x-request-id"
        | "x-forwarded-port"
        | "x-forwarded-proto"
        | "x-forwarded-scheme"
        | "x-scheme"
        | "x-forwarded-for"
        | "x-forwarded-host"
        | "x-original-forwarded-for"
        | "x-original-forwarded-host" => Fate::Drop,
        // Whatever an upstream makes of `-` and `_`: what it is told about certificates, it is told by the gateway.
        name if is_about_certificate(name) => Fate::Drop,
        "x-forwarded-prefix" => Fate::Prefix,
        "x-original-uri" => Fate::OriginalUri,
        "cookie" => Fate::Cookie,
        _ => Fate::Keep,
    }
}

pub(super) fn is_about_certificate(name: &str) -> bool {
    let prefix = b"ssl-client-";
    name.len() > prefix.len()
        && name
            .bytes()
            .zip(prefix)
            .all(|(byte, own)| byte == *own || (byte == b'_' && *own == b'-'))
}

/// The names of a client's `Trailer` that are passed on behind the body.
fn announced(value: &HeaderValue, rules: &Rules<'_>) -> Vec<u8> {
    let is_decided =
        |name: &HeaderName| rules.replaces(name.as_str()) || rules.decides(name.as_str());
    let names: Vec<&[u8]> = value
        .as_bytes()
        .split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|name| {
            HeaderName::from_bytes(name)
                .is_ok_and(|name| may_follow_request(&name) && !is_decided(&name))
        })
        .collect();
    names.join(&b", "[..])
}

/// Whether an upstream that takes `_` for `-` would take this for a header that frames the request.
fn is_framing(name: &HeaderName) -> bool {
    ["content-length", "transfer-encoding"].iter().any(|framing| is_alike(framing, name.as_str()))
}

pub(super) fn is_odd(name: &HeaderName, underscores: bool) -> bool {
    !name
        .as_str()
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || (underscores && b == b'_'))
}
