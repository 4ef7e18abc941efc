use headgate_config::Origin;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;

use super::*;

/// The URL for a request with these bytes in every place that a client decides about.
fn destination(url: &str, said: &[u8]) -> Option<Destination> {
    let origin = Origin::default();
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(said) {
        headers.insert("x-said", value);
    }
    let variables = Variables {
        method: &Method::GET,
        headers: &headers,
        underscores: false,
        host: said,
        http_host: said,
        best_host: said,
        scheme: b"http",
        listener_scheme: b"http",
        listener_port: b"80",
        client_ip: b"192.0.2.1",
        target: said,
        path: said,
        query: said,
        request_id: said,
        origin: &origin,
        connection: None,
        span: None,
    };
    Url::parse(url, || "/_default".into())?.destination(&variables)
}

fn shown(url: &str, said: &str) -> Option<String> {
    let Destination { tls, place, target } = destination(url, said.as_bytes())?;
    let target = String::from_utf8(target).unwrap();
    Some(format!("{} {}:{} {target}", if tls { "tls" } else { "tcp" }, place.host, place.port))
}

#[test]
fn parts_of_a_url() {
    for (url, expected) in [
        ("http://auth.svc", "tcp auth.svc:80 /_default"),
        ("HTTPS://Auth.svc./", "tls auth.svc.:443 /"),
        ("http://10.0.0.1:8080/check?a=b", "tcp 10.0.0.1:8080 /check?a=b"),
        ("http://[::1]:81/x", "tcp [::1]:81 /x"),
        ("http://auth?x=1", "tcp auth:80 /?x=1"),
        ("http://$host/v", "tcp said:80 /v"),
        ("http://${host}.x:$server_port/v", "tcp said.x:80 /v"),
        ("http://auth/v$uri?u=$request_uri", "tcp auth:80 /vsaid?u=said"),
    ] {
        assert_eq!(shown(url, "said").as_deref(), Some(expected), "{url}");
    }
}

#[test]
fn what_is_no_url_of_http() {
    for url in [
        "auth.svc/x",
        "ftp://auth/",
        "http://",
        "http:///x",
        "http://a..b/",
        "http://u@a/",
        "http://a:b/",
        "http://a:0/",
        "http://a:1:2/",
        "http://a:99999/",
        "http://[a]/",
        "$scheme://a/",
        "unix:/tmp/socket",
    ] {
        assert_eq!(destination(url, b"x"), None, "{url}");
    }
}

#[test]
fn what_a_client_sends_stays_in_its_place() {
    for said in
        ["evil.test/", "a@evil.test", "a:1", "a?b", "a#b", "a b", "a\r\nX: y", "", "a\\b", "é"]
    {
        assert_eq!(shown("http://$host.auth.svc/v", said), None, "{said:?}");
    }
    for said in ["/a b", "/a\r\nX: y", "/a\0", "/a#b", "/a\x7f"] {
        assert_eq!(shown("http://auth/v?u=$request_uri", said), None, "{said:?}");
    }
    assert_eq!(shown("http://auth/v$uri", "/a ?#%\n").unwrap(), "tcp auth:80 /v/a%20%3F%23%25%0A");
    assert_eq!(shown("http://auth$request_uri", "/a?b").unwrap(), "tcp auth:80 /a?b");
    assert_eq!(shown("http://auth:81$uri?x", "/a").unwrap(), "tcp auth:81 /a?x");
    assert_eq!(shown("http://auth$request_uri", ".evil.test/"), None, "no path");
    assert_eq!(shown("http://auth/$unknown", "a"), None);
}

proptest! {
    /// Whatever a client says, the host is the one that was configured, and the request line is one line.
    #[test]
    fn nothing_breaks_out(said in prop::collection::vec(any::<u8>(), 0..40)) {
        let url = "http://auth.svc:81/v$uri?h=$http_x_said&u=$request_uri";
        if let Some(found) = destination(url, &said) {
            prop_assert_eq!(found.place.host, "auth.svc");
            prop_assert_eq!(found.place.port, 81);
            prop_assert!(found.target.starts_with(b"/v"));
            prop_assert!(found.target.iter().all(|byte| *byte > b' ' && *byte != 0x7f));
        }
    }
}
