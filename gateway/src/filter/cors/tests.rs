use super::*;

fn rules(origins: &[&str]) -> cors::Cors {
    cors::Cors {
        origins: Origins::Listed(origins.iter().map(|text| (*text).to_owned()).collect()),
        credentials: true,
        methods: "GET, PUT".into(),
        headers: "X-A".into(),
        exposed: None,
        max_age: 5,
    }
}

/// Whether one of `listed` admits a request with these `Origin` lines.
fn admitted(listed: &[&str], origins: &[&str]) -> bool {
    let mut request = HeaderMap::new();
    for origin in origins {
        request.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
    }
    let admitted = Cors::new(&rules(listed)).admits(&request);
    if let Some(named) = &admitted {
        assert_eq!(named, origins[0], "the answer names who asked");
    }
    admitted.is_some()
}

#[test]
fn an_origin_is_compared_as_a_whole_and_without_regard_to_case() {
    let listed = ["https://A.test", "http://b.test:8080", "null"];
    for (origin, expected) in [
        ("https://a.test", true),
        ("HTTPS://a.TEST", true),
        ("http://b.test:8080", true),
        ("null", true),
        ("evilhttps://a.test", false),
        ("https://a.test.evil.test", false),
        ("https://a.test:443", false),
        ("http://a.test", false),
        ("http://b.test", false),
        ("xnull", false),
        ("https://aXtest", false),
        ("", false),
    ] {
        assert_eq!(admitted(&listed, &[origin]), expected, "{origin}");
    }
    assert!(!admitted(&listed, &[]), "without an origin nothing is said");
    assert!(!admitted(&listed, &["null", "https://a.test"]), "which of the two is it?");
    assert!(!admitted(&[], &["https://a.test"]));
}

#[test]
fn an_asterisk_stands_for_one_label() {
    let listed = ["http://*.b.test", "https://*.c.test:81"];
    for (origin, expected) in [
        ("http://a-1.b.test", true),
        ("http://A.B.test", true),
        ("https://x.c.test:81", true),
        ("http://b.test", false),
        ("http://.b.test", false),
        ("http://a.a.b.test", false),
        ("http://a_b.b.test", false),
        ("http://a/x.b.test", false),
        ("xhttp://a.b.test", false),
        ("http://a.b.test:80", false),
        ("https://x.c.test", false),
        ("http:/", false),
    ] {
        assert_eq!(admitted(&listed, &[origin]), expected, "{origin}");
    }
}

#[test]
fn everybody_need_not_say_who_it_is() {
    let spec = cors::Cors { origins: Origins::Any, ..rules(&[]) };
    assert_eq!(Cors::new(&spec).admits(&HeaderMap::new()), Some(HeaderValue::from_static("*")));
}

/// What an answer of an upstream carries in the end.
fn answered(spec: &cors::Cors, upstream: &[(&'static str, &'static str)]) -> Vec<String> {
    let mut answer = HeaderMap::new();
    for (name, value) in upstream {
        answer.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Cors::new(spec).add_to(HeaderValue::from_static("http://o.test"), &mut answer);
    let mut lines: Vec<_> = answer
        .iter()
        .map(|(name, value)| {
            let short = name.as_str().trim_start_matches("access-control-");
            format!("{short}: {}", value.to_str().unwrap())
        })
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_configured_headers_replace_those_of_the_upstream() {
    let upstream = [
        ("access-control-allow-origin", "http://x.test"),
        ("access-control-allow-origin", "http://y.test"),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "X-Own"),
        ("x-app", "1"),
    ];
    let said = ["allow-headers: X-A", "allow-methods: GET, PUT", "allow-origin: http://o.test"];
    let with = |more: &[&str]| {
        let mut lines: Vec<_> = said.iter().chain(more).map(|line| (*line).to_owned()).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(
        answered(&rules(&[]), &upstream),
        with(&["allow-credentials: true", "expose-headers: X-Own", "max-age: 5", "x-app: 1"])
    );
    let strict = cors::Cors { credentials: false, exposed: Some("X-B".into()), ..rules(&[]) };
    assert_eq!(
        answered(&strict, &upstream),
        with(&["expose-headers: X-B", "max-age: 5", "x-app: 1"])
    );
}

#[test]
fn what_no_header_can_hold_is_left_out() {
    let spec = cors::Cors { methods: "GET\r\nX-B: c".into(), ..rules(&[]) };
    let lines = answered(&spec, &[]);
    assert!(!lines.iter().any(|line| line.starts_with("allow-methods")), "{lines:?}");
}
