//! What an upstream's answer loses and gains on its way to the client.

mod cookie;
mod global;
mod location;
mod replace;

pub use self::{global::GlobalHeaders, location::AnswerHeaders};

use headgate_config::hop_by_hop;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{self, HeaderName},
};

/// Whether a header of an upstream's answer is passed on. What belongs to the upstream's connection is not, nor what
/// the reference keeps to itself. Framing headers are never copied: new ones are written, the length from the number
/// that was read. An answer that changes the protocol keeps what makes it one.
pub fn is_kept(name: &HeaderName, status: StatusCode) -> bool {
    match name.as_str() {
        "connection" | "upgrade" => status == StatusCode::SWITCHING_PROTOCOLS,
        // In an answer it says nothing, and the reference passes it on.
        "te" => true,
        // The gateway answers with its own clock and does not name what is behind it.
        hop_by_hop!() | "content-length" | "server" | "date" | "x-pad" => false,
        text => !text.starts_with("x-accel-"),
    }
}

/// The same where clients may know what is behind the gateway (`allow-backend-server-header`).
pub fn is_kept_with_server(name: &HeaderName, status: StatusCode) -> bool {
    *name == header::SERVER || is_kept(name, status)
}

/// Removes the headers that `connection` nominates (RFC 9110 §7.6.1), but never one that frames or describes the
/// answer.
pub fn drop_nominated(connection: &HeaderValue, headers: &mut HeaderMap, status: StatusCode) {
    if is_plain(connection) {
        return;
    }
    for token in connection.as_bytes().split(|b| *b == b',') {
        let Ok(name) = HeaderName::from_bytes(token.trim_ascii()) else { continue };
        let kept = name == header::CONTENT_LENGTH
            || name == header::CONTENT_TYPE
            || name == header::SET_COOKIE
            || name == header::LOCATION
            || (name == header::UPGRADE && status == StatusCode::SWITCHING_PROTOCOLS);
        if !kept {
            headers.remove(name);
        }
    }
}

/// `Connection` with nothing to nominate.
fn is_plain(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"keep-alive")
        || value.as_bytes().eq_ignore_ascii_case(b"close")
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
            ("content-length", "5"),
            ("server", "x"),
            ("x-accel-buffering", "no"),
            ("x-app", "1"),
        ] {
            let name = HeaderName::from_static(name);
            if is_kept(&name, StatusCode::OK) {
                headers.append(name, HeaderValue::from_static(value));
            }
        }
        let connection = HeaderValue::from_static("keep-alive, X-Hop, content-type");
        drop_nominated(&connection, &mut headers, StatusCode::OK);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "x-app"]);
    }
}
