//! What an upstream's answer loses and gains on its way to the client.

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{self, HeaderName},
};
use smallvec::SmallVec;

/// Cleans the head of an upstream's answer of what belongs to the upstream's connection, or what the reference keeps
/// to itself. Framing headers are never copied: the library writes new ones. `upgraded` answers keep what makes them
/// one.
pub fn clean(headers: &mut HeaderMap, upgraded: bool) {
    if let Some(nominated) = headers.get(header::CONNECTION)
        && !is_plain(nominated)
    {
        drop_nominated(&nominated.clone(), headers, upgraded);
    }
    // Usually one or two: look once, then remove by name.
    let dropped: SmallVec<[HeaderName; 4]> =
        headers.keys().filter(|name| is_dropped(name, upgraded)).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
}

fn is_dropped(name: &HeaderName, upgraded: bool) -> bool {
    match name.as_str() {
        "connection" | "upgrade" => !upgraded,
        // The gateway answers with its own clock and does not name what is behind it.
        "keep-alive" | "proxy-connection" | "transfer-encoding" | "server" | "date" | "x-pad" => {
            true
        }
        text => text.starts_with("x-accel-"),
    }
}

/// `Connection` with nothing to nominate.
fn is_plain(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"keep-alive")
        || value.as_bytes().eq_ignore_ascii_case(b"close")
}

/// Removes headers that `Connection` nominates (RFC 9110 §7.6.1), but never one that frames or describes the answer.
fn drop_nominated(connection: &HeaderValue, headers: &mut HeaderMap, upgraded: bool) {
    for token in connection.as_bytes().split(|b| *b == b',') {
        let Ok(name) = HeaderName::from_bytes(token.trim_ascii()) else { continue };
        let kept = name == header::CONTENT_LENGTH
            || name == header::CONTENT_TYPE
            || name == header::SET_COOKIE
            || name == header::LOCATION
            || (upgraded && name == header::UPGRADE);
        if !kept {
            headers.remove(name);
        }
    }
}

/// Whether an answer with this status has no body whatever its headers say (RFC 9110 §6.4.1).
pub fn bodiless(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_headers_go_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Hop, content-type"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("content-type", "text/plain"),
            ("transfer-encoding", "chunked"),
            ("server", "x"),
            ("x-accel-buffering", "no"),
            ("x-app", "1"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        clean(&mut headers, false);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "x-app"]);
    }
}
