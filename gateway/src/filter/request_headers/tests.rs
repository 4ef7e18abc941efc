use http::HeaderMap;

use super::*;

fn rules<'a>() -> Rules<'a> {
    Rules {
        host: b"a.test",
        request_id: None,
        prefix: None,
        original_uri: None,
        odd_names: false,
        underscores: false,
        keep_invalid: false,
        upgrade: None,
        close: false,
        connection: None,
        framing: Framing::None,
        originals: Originals { addresses: "x-forwarded-for", host: "x-forwarded-host" },
        overrides: &[],
        configured: &[],
        head: b"",
    }
}

fn written(lines: &[(&'static str, &'static str)], rules: &Rules<'_>) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_static(value));
    }
    let client = Client {
        ip: b"192.0.2.1",
        chain: None,
        best_host: b"a.test",
        port: b"80",
        scheme: b"http",
        is_behind_proxy: false,
        headers: &headers,
    };
    let mut out = Vec::new();
    write(&client, rules, &mut out);
    let text = String::from_utf8(out).unwrap();
    let text = text.strip_suffix("\r\n\r\n").unwrap();
    text.split("\r\n")
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn values<'a>(lines: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    lines
        .iter()
        .filter(|line| line.0.eq_ignore_ascii_case(name))
        .map(|line| line.1.as_str())
        .collect()
}

#[test]
fn forged_headers_are_replaced_or_renamed() {
    let lines = [
        ("x-real-ip", "6.6.6.6"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "7.7.7.7"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "mine"),
        ("content-length", "9"),
        ("transfer-encoding", "chunked"),
        ("proxy", "evil"),
    ];
    let written = written(&lines, &Rules { request_id: Some(b"1"), ..rules() });
    for (name, expected) in [
        ("host", vec!["a.test"]),
        ("x-real-ip", vec!["192.0.2.1"]),
        ("x-forwarded-for", vec!["192.0.2.1"]),
        ("x-original-forwarded-for", vec!["6.6.6.6", "7.7.7.7"]),
        ("x-forwarded-host", vec!["a.test"]),
        ("x-original-forwarded-host", vec!["evil"]),
        ("x-forwarded-port", vec!["80"]),
        ("x-forwarded-proto", vec!["http"]),
        ("x-forwarded-scheme", vec!["http"]),
        ("x-scheme", vec!["http"]),
        ("x-request-id", vec!["1"]),
        ("content-length", vec![]),
        ("transfer-encoding", vec![]),
        ("connection", vec![]),
        ("proxy", vec![]),
    ] {
        assert_eq!(values(&written, name), expected, "{name}");
    }
}

#[test]
fn what_the_gateway_says_replaces_what_the_client_says() {
    let lines = [
        ("x-original-uri", "/theirs"),
        ("x-forwarded-prefix", "/theirs"),
        ("x-code", "200"),
        ("x-other", "1"),
    ];
    let ours = Rules {
        original_uri: Some(b"/ours"),
        prefix: Some(b"/prefix"),
        overrides: &[Override::set("X-Code", &b"503"[..])],
        ..rules()
    };
    let (with, without) = (written(&lines, &ours), written(&lines, &rules()));
    for (name, ours, theirs) in [
        ("x-original-uri", "/ours", "/theirs"),
        ("x-forwarded-prefix", "/prefix", "/theirs"),
        ("x-code", "503", "200"),
        ("x-other", "1", "1"),
    ] {
        assert_eq!(values(&with, name), [ours]);
        assert_eq!(values(&without, name), [theirs]);
    }
}

#[test]
fn cookies_become_one_line_and_nominated_headers_go() {
    let lines = [
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("connection", "X-Hop, te-st, keep-alive"),
        ("te-st", "1"),
        ("x-hop", "1"),
        ("odd_name", "1"),
    ];
    let written = written(&lines, &Rules { odd_names: true, ..rules() });
    assert_eq!(values(&written, "cookie"), ["a=1; b=2"]);
    assert_eq!(values(&written, "te-st"), [""; 0]);
    assert_eq!(values(&written, "x-hop"), ["1"], "a protected name");
    assert_eq!(values(&written, "odd_name"), [""; 0]);
}

#[test]
fn framing_and_connection_are_written_once() {
    let websocket = HeaderValue::from_static("websocket");
    let upgrade = Rules { upgrade: Some(&websocket), close: true, ..rules() };
    let lines = written(&[("upgrade", "h2c"), ("connection", "upgrade")], &upgrade);
    assert_eq!(values(&lines, "upgrade"), ["websocket"]);
    assert_eq!(values(&lines, "connection"), ["upgrade"]);
    let close = Rules { close: true, framing: Framing::Length(12), ..rules() };
    let lines = written(&[("connection", "keep-alive")], &close);
    assert_eq!(values(&lines, "connection"), ["close"]);
    assert_eq!(values(&lines, "content-length"), ["12"]);
    let lines = written(&[], &Rules { framing: Framing::Chunked, ..rules() });
    assert_eq!(values(&lines, "transfer-encoding"), ["chunked"]);
}

#[test]
fn our_names_are_spelled_as_the_reference_spells_them_and_the_client_s_as_the_client() {
    let lines = [
        ("host", "a.test"),
        ("x-lower", "1"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil"),
        ("dnt", "1"),
        ("cookie", "a=1"),
    ];
    let head = b"GET / HTTP/1.1\r\nhost: a.test\r\nx-lOwEr: 1\r\nX-FORWARDED-FOR: 6.6.6.6\r\n\
                 X-Forwarded-host: evil\r\nDNT: 1\r\ncooKIE: a=1\r\n\r\n";
    let rules = Rules {
        request_id: Some(b"1"),
        prefix: Some(b"/p"),
        original_uri: Some(b"/"),
        framing: Framing::Length(1),
        close: true,
        head,
        ..rules()
    };
    let names = |rules| written(&lines, rules).into_iter().map(|line| line.0).collect::<Vec<_>>();
    assert_eq!(
        names(&rules),
        [
            "Host",
            "x-lOwEr",
            "X-Original-Forwarded-For",
            "X-Original-Forwarded-Host",
            "DNT",
            "cooKIE",
            "X-Request-ID",
            "X-Forwarded-For",
            "X-Real-IP",
            "X-Forwarded-Host",
            "X-Forwarded-Port",
            "X-Forwarded-Proto",
            "X-Forwarded-Scheme",
            "X-Scheme",
            "X-Original-URI",
            "X-Forwarded-Prefix",
            "Content-Length",
            "Connection",
        ]
    );
    let websocket = HeaderValue::from_static("websocket");
    let rules = Rules { upgrade: Some(&websocket), framing: Framing::Chunked, head: b"", ..rules };
    let names = names(&rules);
    assert_eq!(
        names[1..5],
        ["x-lower", "X-Original-Forwarded-For", "X-Original-Forwarded-Host", "dnt"]
    );
    assert_eq!(names[names.len() - 3..], ["Transfer-Encoding", "Upgrade", "Connection"]);
}

#[test]
fn what_is_decided_elsewhere_replaces_the_clients_and_our_own() {
    let lines = [
        ("authorization", "Basic eDp5"),
        ("cookie", "a=b"),
        ("x-user", "forged"),
        ("x-forwarded-for", "forged"),
        ("x-scheme", "forged"),
    ];
    let overrides = [
        Override::remove("authorization"),
        Override::set("Cookie", &b"c=d"[..]),
        Override::remove("X-User"),
        Override::set("x-scheme", &b"ours"[..]),
        Override::remove("X-Original-Forwarded-For"),
    ];
    let written = written(&lines, &Rules { overrides: &overrides, ..rules() });
    let sent = |name| values(&written, name);
    assert_eq!((sent("cookie"), sent("x-scheme")), (vec!["c=d"], vec!["ours"]));
    for name in ["authorization", "x-user", "x-original-forwarded-for"] {
        assert_eq!(sent(name), [""; 0], "{name}");
    }
    assert!(!written.iter().any(|(_, value)| value == "forged"), "{written:?}");
}

#[test]
fn configured_headers_replace_the_clients_and_stand_beside_the_standard_ones() {
    let lines =
        [("x-mine", "client"), ("x_mine", "client"), ("x-drop", "client"), ("x-other", "1")];
    let configured = [
        Override::set("X-Mine", &b"ours"[..]),
        Override::remove("X-Drop"),
        Override::set("X-Real-IP", &b"7.7.7.7"[..]),
        Override::set("X-User", &b"configured"[..]),
    ];
    let overrides = [Override::set("X-User", &b"verified"[..])];
    let rules =
        Rules { configured: &configured, overrides: &overrides, underscores: true, ..rules() };
    let written = written(&lines, &rules);
    let sent = |name| values(&written, name);
    assert_eq!((sent("x-mine"), sent("x_mine"), sent("x-drop")), (vec!["ours"], vec![], vec![]));
    assert_eq!((sent("x-other"), sent("x-real-ip")), (vec!["1"], vec!["192.0.2.1", "7.7.7.7"]));
    assert_eq!(sent("x-user"), ["verified"], "what a policy has found out is not said twice");
}

#[test]
fn what_a_policy_decides_about_is_not_the_clients_in_another_spelling() {
    let lines = [("x-user", "forged"), ("x_user", "forged"), ("x_other", "1")];
    let overrides = [Override::set("X-User", &b"verified"[..])];
    let rules = Rules { overrides: &overrides, underscores: true, odd_names: true, ..rules() };
    let written = written(&lines, &rules);
    let sent = |name| values(&written, name);
    assert_eq!((sent("x-user"), sent("x_user")), (vec!["verified"], vec![]));
    assert_eq!(sent("x_other"), ["1"]);
}

#[test]
fn connection_is_what_the_location_says() {
    let websocket = HeaderValue::from_static("websocket");
    let rules = Rules { upgrade: Some(&websocket), connection: Some("keep-alive"), ..rules() };
    let written = written(&[("connection", "upgrade")], &rules);
    assert_eq!(values(&written, "connection"), ["keep-alive"]);
    assert_eq!(values(&written, "upgrade"), ["websocket"]);
}

#[test]
fn odd_lines_pass_where_they_are_kept_but_for_those_that_frame() {
    let head = b"GET / HTTP/1.1\r\nX@Bad: 1\r\nx.dot: 2\r\nContent_Length: 9\r\nX[: a\0b\r\n\r\n";
    let lines = [("x.dot", "2"), ("content_length", "9")];
    let kept = Rules { odd_names: true, keep_invalid: true, head, ..rules() };
    let kept = written(&lines, &kept);
    assert_eq!((values(&kept, "x@bad"), values(&kept, "x.dot")), (vec!["1"], vec!["2"]));
    assert_eq!((values(&kept, "content_length"), values(&kept, "x[")), (vec![], vec![]));
    let dropped = written(&lines, &Rules { odd_names: true, head, ..rules() });
    assert_eq!((values(&dropped, "x@bad"), values(&dropped, "x.dot")), (vec![], vec![]));
}
