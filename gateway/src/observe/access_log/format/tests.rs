use std::time::{Duration, UNIX_EPOCH};

use headgate_config::{ObjectRef, Origin};
use http::Version;

use super::*;
use crate::observe::access_log::{Attempt, clock::Clock, record::TlsInfo};

fn line(format: &LogFormat, record: &AccessRecord<'_>) -> String {
    let mut clock = Clock::default();
    let time = UNIX_EPOCH + Duration::from_millis(1_795_269_354_007);
    let mut line = Vec::new();
    format.write(&mut line, record, clock.at(time));
    String::from_utf8(line).unwrap()
}

fn shown(format: &str, record: &AccessRecord<'_>) -> String {
    line(&LogFormat::compile(format, Escape::Default).unwrap(), record)
}

fn attempt(addr: &str, status: u16, milliseconds: u64, length: u64) -> Attempt<'_> {
    Attempt {
        addr,
        status: Some(status),
        response_time: Some(Duration::from_millis(milliseconds)),
        response_length: length,
        ..Attempt::default()
    }
}

#[test]
fn the_default_line_is_the_references() {
    let attempts = [attempt("10.0.0.7:8080", 200, 5, 612)];
    let record = AccessRecord {
        remote_addr: "192.0.2.1",
        method: "GET",
        target: b"/posts?page=2",
        status: 200,
        body_bytes_sent: 612,
        user_agent: Some(b"curl/8.5.0"),
        request_length: 83,
        request_time: Duration::from_micros(6_999),
        upstream_name: "default-posts-srv-4000",
        attempts: &attempts,
        request_id: b"0123456789abcdef0123456789abcdef",
        ..AccessRecord::default()
    };
    assert_eq!(
        line(&LogFormat::default(), &record),
        "192.0.2.1 - - [21/Nov/2026:13:55:54 +0000] \"GET /posts?page=2 HTTP/1.1\" 200 612 \"-\" \"curl/8.5.0\" \
         83 0.006 [default-posts-srv-4000] [] 10.0.0.7:8080 612 0.005 200 0123456789abcdef0123456789abcdef"
    );
}

#[test]
fn a_request_that_could_not_be_parsed_shows_what_was_received() {
    let record = AccessRecord {
        remote_addr: "192.0.2.1",
        request_line: Some(b"\x16\x03\x01\"GET"),
        status: 400,
        body_bytes_sent: 150,
        ..AccessRecord::default()
    };
    assert_eq!(
        line(&LogFormat::default(), &record),
        "192.0.2.1 - - [21/Nov/2026:13:55:54 +0000] \"\\x16\\x03\\x01\\x22GET\" 400 150 \"-\" \"-\" \
         0 0.000 [-] [] - - - - "
    );
}

#[test]
fn tries_are_joined_by_commas_and_internal_redirects_by_colons() {
    let failed =
        Attempt { status: Some(502), response_time: None, ..attempt("10.0.0.1:80", 502, 0, 0) };
    let redirected = Attempt { after_redirect: true, ..attempt("10.0.0.3:80", 404, 12, 9) };
    let attempts = [failed, attempt("10.0.0.2:80", 503, 1_001, 7), redirected];
    let record = AccessRecord { attempts: &attempts, ..AccessRecord::default() };
    assert_eq!(
        shown(
            "$upstream_addr|$upstream_status|$upstream_response_time|$upstream_response_length|$upstream_connect_time",
            &record
        ),
        "10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80|502, 503 : 404|-, 1.001 : 0.012|0, 7 : 9|-, - : -"
    );
}

#[test]
fn values_of_clients_cannot_break_the_line() {
    let record = AccessRecord {
        method: "GET",
        target: b"/\xff",
        authorization: Some(b"Basic YSJiOmM="),
        referer: Some(b"x\" 200 1 \"y\n"),
        ..AccessRecord::default()
    };
    assert_eq!(
        shown("$remote_user \"$request\" \"$http_referer\"", &record),
        "a\\x22b \"GET /\\xFF HTTP/1.1\" \"x\\x22 200 1 \\x22y\\x0A\""
    );
}

#[test]
fn json_escaping_gives_valid_json_and_empty_missing_values() {
    let format = r#"{"time":"$time_iso8601","user":"$remote_user","path":"$uri","status":$status,"agent":"$http_user_agent"}"#;
    let format = LogFormat::compile(format, Escape::Json).unwrap();
    let record = AccessRecord {
        path: b"/a\"\n\x01",
        status: 404,
        user_agent: Some("h\u{e9}\\".as_bytes()),
        ..AccessRecord::default()
    };
    let value: serde_json::Value = serde_json::from_str(&line(&format, &record)).unwrap();
    assert_eq!(value["time"], "2026-11-21T13:55:54+00:00");
    assert_eq!(value["user"], "");
    assert_eq!(value["path"], "/a\"\n\u{1}");
    assert_eq!(value["status"], 404);
    assert_eq!(value["agent"], "h\u{e9}\\");
}

#[test]
fn a_request_that_could_not_be_parsed_has_no_parts() {
    let record = AccessRecord { request_line: Some(b""), ..AccessRecord::default() };
    assert_eq!(
        shown("$request|$request_method|$request_uri|$uri|$args|$server_protocol|$host", &record),
        "|-|-|-|-|-|"
    );
}

#[test]
fn a_cookie_ends_at_a_semicolon_and_its_name_may_follow_a_comma() {
    let format = LogFormat::compile("$cookie_b|$cookie_c|$cookie_d", Escape::Default).unwrap();
    let cookies = HeaderValue::from_static("a=1,B = 5,b=6;c=;  d");
    let captured = format.capture(&HeaderMap::from_iter([(header::COOKIE, cookies)]));
    let record = AccessRecord { captured: &captured, ..AccessRecord::default() };
    assert_eq!(line(&format, &record), "5,b=6||-");
}

#[test]
fn headers_cookies_and_arguments_are_found_by_name() {
    let format = "$http_x_tag|$cookie_session|$arg_page|$http_x_none|$proxy_add_x_forwarded_for|$args$is_args";
    let format = LogFormat::compile(format, Escape::Default).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-tag", "one"),
        ("x-tag", "two"),
        ("cookie", "a=1; session=s%3D=x"),
        ("cookie", "b=2"),
        ("x-forwarded-for", "198.51.100.7"),
    ] {
        let name = HeaderName::from_static(name);
        headers.append(name, HeaderValue::from_static(value));
    }
    let captured = format.capture(&headers);
    let record = AccessRecord {
        remote_addr: "192.0.2.1",
        target: b"/x?a=1&PAGE=7",
        captured: &captured,
        ..AccessRecord::default()
    };
    assert_eq!(line(&format, &record), "one, two|s%3D=x|7|-|198.51.100.7, 192.0.2.1|a=1&PAGE=7?");
}

#[test]
fn the_default_format_captures_no_header() {
    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::from_static("a=1"));
    assert!(LogFormat::default().capture(&headers).is_empty());
}

#[test]
fn the_location_and_the_connection_are_known_by_their_variables() {
    let origin = Origin {
        object: Some(ObjectRef {
            kind: "Ingress".into(),
            namespace: "shop".into(),
            name: "web".into(),
        }),
        path: "/cart".into(),
        service: "cart".into(),
        port: "http".into(),
    };
    let record = AccessRecord {
        method: "GET",
        version: Version::HTTP_2,
        origin: Some(&origin),
        tls: Some(TlsInfo {
            protocol: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
            client_subject: "CN=one",
            client_issuer: "",
            client_verify: Some("SUCCESS"),
            server_name: None,
        }),
        connection: 12,
        connection_requests: 3,
        ..AccessRecord::default()
    };
    assert_eq!(
        shown(
            "$namespace/$ingress_name $service_name:$service_port $location_path $ssl_protocol $ssl_server_name \
             $server_protocol $http2 $https ${connection}x$connection_requests $pipe $msec",
            &record
        ),
        "shop/web cart:http /cart TLSv1.3 - HTTP/2.0 h2 on 12x3 . 1795269354.007"
    );
}

#[test]
fn a_format_with_an_unknown_variable_or_a_lone_dollar_is_refused() {
    let error = |format| LogFormat::compile(format, Escape::Default).unwrap_err();
    assert_eq!(error("$status $nonsense"), FormatError::UnknownVariable("nonsense".into()));
    assert_eq!(error("cost: 5 $"), FormatError::NoName(8));
    assert_eq!(error("${status"), FormatError::NoName(0));
    assert_eq!(error("a ${}"), FormatError::NoName(2));
}

#[test]
fn numbers_have_no_leading_zeros_but_statuses_have_three_digits() {
    let record = AccessRecord { status: 9, bytes_sent: u64::MAX, ..AccessRecord::default() };
    assert_eq!(
        shown("$status $bytes_sent $request_length", &record),
        format!("009 {} 0", u64::MAX)
    );
}
