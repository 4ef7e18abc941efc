//! The redirect to a page where a client signs in, instead of 401 (annotations §3.7). No I/O.

use std::fmt::Write;

use headgate_config::protection::SignIn;
use http::HeaderValue;

use super::variables::Variables;

/// `Location` of the redirect: the configured URL, and the address to come back to unless it is there already. `None`
/// if what the client sent makes it no valid header.
pub fn location(spec: &SignIn, variables: &Variables<'_>) -> Option<HeaderValue> {
    let mut url = variables.expand(&spec.url);
    // An absolute URL where it is the path alone, as all redirects that the gateway makes.
    if url.starts_with(b"/") && !url.starts_with(b"//") {
        let scheme = [variables.listener_scheme, b"://", variables.host].concat();
        url.splice(..0, scheme);
    }
    let separator: &[u8] = match spec.url.split_once('?') {
        None => b"?",
        Some((_, query)) if has(query, &spec.return_parameter) => b"",
        Some(_) => b"&",
    };
    if !separator.is_empty() {
        url.extend_from_slice(separator);
        url.extend_from_slice(spec.return_parameter.as_bytes());
        for piece in [b"=", variables.scheme, b"://", variables.http_host] {
            url.extend_from_slice(piece);
        }
        append_escaped(&mut url, variables.target);
    }
    let is_fine = url.iter().all(u8::is_ascii_graphic);
    HeaderValue::from_maybe_shared(bytes::Bytes::from(url)).ok().filter(|_| is_fine)
}

/// Whether a query has a parameter with a value that is not empty.
fn has(query: &str, name: &str) -> bool {
    let query = query.split('#').next().unwrap_or_default();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    // Of several the first counts.
    pairs.find(|(found, _)| *found == name).is_some_and(|(_, value)| !value.is_empty())
}

/// A request target as it is put into a parameter of a query. Everything that could end or part the parameter is
/// escaped.
pub fn escape(target: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(target.len() * 3 / 2);
    append_escaped(&mut out, target);
    out
}

fn append_escaped(out: &mut Vec<u8>, target: &[u8]) {
    let mut digits = String::with_capacity(3);
    for byte in target {
        if stays(*byte) {
            out.push(*byte);
        } else {
            digits.clear();
            // Writing to a text does not fail.
            let _ = write!(digits, "%{byte:02X}");
            out.extend_from_slice(digits.as_bytes());
        }
    }
}

fn stays(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$'()*,@|`".contains(&byte)
}

#[cfg(test)]
mod tests {
    use headgate_config::Origin;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;

    use super::*;

    fn redirect(url: &str, target: &str) -> Option<String> {
        let origin = Origin::default();
        let variables = Variables {
            method: &Method::GET,
            headers: &HeaderMap::new(),
            underscores: false,
            host: b"auth",
            http_host: b"Auth:81",
            best_host: b"auth",
            scheme: b"https",
            listener_scheme: b"http",
            listener_port: b"80",
            client_ip: b"192.0.2.1",
            target: target.as_bytes(),
            path: b"/",
            query: b"",
            request_id: b"",
            origin: &origin,
            connection: None,
            span: None,
        };
        let spec = SignIn { url: url.into(), return_parameter: "rd".into() };
        location(&spec, &variables).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_address_to_come_back_to_is_added_unless_it_is_there() {
        let back = "rd=https://Auth:81%2F%3Fa%3Db%26c%3Dd";
        for (url, expected) in [
            ("http://$host/auth/start", format!("http://auth/auth/start?{back}")),
            ("https://x.test/s?a=1", format!("https://x.test/s?a=1&{back}")),
            ("https://x.test/s?rd=", format!("https://x.test/s?rd=&{back}")),
            ("https://x.test/s?ard=1", format!("https://x.test/s?ard=1&{back}")),
            ("https://x.test/s?rd=/home", "https://x.test/s?rd=/home".into()),
            (
                "https://x.test/s?rd=$escaped_request_uri&b=1",
                "https://x.test/s?rd=%2F%3Fa%3Db%26c%3Dd&b=1".into(),
            ),
            ("/start", format!("http://auth/start?{back}")),
        ] {
            assert_eq!(redirect(url, "/?a=b&c=d").as_deref(), Some(&*expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_not_sent() {
        assert_eq!(redirect("https://x.test/$request_uri", "/a b"), None);
        assert!(redirect("https://x.test/", "/a\u{e9}").is_some(), "escaped");
    }

    proptest! {
        /// Nothing in a target ends the parameter, and it can be read again.
        #[test]
        fn an_escaped_target_is_one_value(target in prop::collection::vec(any::<u8>(), 0..64)) {
            let escaped = escape(&target);
            prop_assert!(escaped.iter().all(|b| b.is_ascii_graphic() && !b"/?&=:;+#\"<>\\ ".contains(b)));
            let (mut read, mut rest) = (Vec::new(), &escaped[..]);
            while let [first, after @ ..] = rest {
                if *first == b'%' {
                    let digits = std::str::from_utf8(&after[..2]).unwrap();
                    prop_assert_eq!(digits, digits.to_uppercase());
                    let byte = u8::from_str_radix(digits, 16).unwrap();
                    prop_assert!(!stays(byte), "escaped without need");
                    read.push(byte);
                    rest = &after[2..];
                } else {
                    read.push(*first);
                    rest = after;
                }
            }
            prop_assert_eq!(read, target);
        }
    }
}
