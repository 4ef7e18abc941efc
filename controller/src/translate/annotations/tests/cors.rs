//! Scripts of other origins.

use headgate_config::cors::{Cors, Origins};

use super::*;

fn cors(annotations: &[(&str, &str)]) -> (Option<Cors>, Vec<String>) {
    let enabled = [&[("enable-cors", "true")], annotations].concat();
    let (read, findings) = try_read(&enabled).unwrap();
    let messages = findings.into_iter().map(|finding| finding.message).collect();
    (read.cors.as_deref().cloned(), messages)
}

/// Rules that nothing is said against.
fn meant(annotations: &[(&str, &str)]) -> Cors {
    let (cors, messages) = cors(annotations);
    assert_eq!(messages, [""; 0], "{annotations:?}");
    cors.unwrap()
}

fn listed(origins: &[&str]) -> Origins {
    Origins::Listed(origins.iter().map(|text| (*text).to_owned()).collect())
}

fn defaults() -> Cors {
    Cors {
        origins: Origins::Any,
        credentials: true,
        methods: "GET, PUT, POST, DELETE, PATCH, OPTIONS".into(),
        headers: "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,\
            Content-Type,Range,Authorization"
            .into(),
        exposed: None,
        max_age: 1_728_000,
    }
}

#[test]
fn the_others_count_only_with_the_switch() {
    assert_eq!(means(&[("cors-allow-origin", "https://a.test")]).cors, None);
    assert_eq!(means(&[("enable-cors", "false")]).cors, None);
    assert_eq!(finding(&[("enable-cors", "yes")]).0.cors, None);
    assert_eq!(meant(&[]), defaults());
}

#[test]
fn texts_are_taken_as_they_are() {
    let read = meant(&[
        ("cors-allow-methods", "POST, GET"),
        ("cors-allow-headers", "DNT, User-Agent"),
        ("cors-expose-headers", "*, X-A"),
        ("cors-max-age", "600"),
        ("cors-allow-credentials", "false"),
        ("cors-allow-origin", " "),
    ]);
    let expected = Cors {
        credentials: false,
        methods: "POST, GET".into(),
        headers: "DNT, User-Agent".into(),
        exposed: Some("*, X-A".into()),
        max_age: 600,
        ..defaults()
    };
    assert_eq!(read, expected, "a blank list is none");
}

#[test]
fn bad_texts_are_as_absent() {
    let (read, messages) = cors(&[
        ("cors-allow-methods", "GET; DROP"),
        ("cors-allow-headers", "X-A\nX-B"),
        ("cors-expose-headers", "@a"),
        ("cors-max-age", "1h"),
        ("cors-allow-credentials", "no"),
    ]);
    assert_eq!(read, Some(defaults()));
    assert_eq!(messages.len(), 5, "{messages:?}");
}

#[test]
fn a_list_of_origins() {
    for (list, expected) in [
        ("https://a.test", listed(&["https://a.test"])),
        ("HTTPS://A.test:81, null,", listed(&["https://a.test:81", "null"])),
        ("http://*.a.test", listed(&["http://*.a.test"])),
        ("app://localhost, http://[::1]:80", listed(&["app://localhost", "http://[::1]:80"])),
        ("https://a.test, *, x://b", Origins::Any),
    ] {
        assert_eq!(meant(&[("cors-allow-origin", list)]).origins, expected, "{list}");
    }
}

#[test]
fn an_item_without_a_scheme_is_left_out() {
    let (read, messages) = cors(&[("cors-allow-origin", "test://localhost, foo.test")]);
    assert_eq!(read.unwrap().origins, listed(&["test://localhost"]));
    assert!(messages[0].contains("\"foo.test\""), "{messages:?}");
    let (read, messages) = cors(&[("cors-allow-origin", "foo.test")]);
    assert_eq!(read, None, "nobody is left");
    assert!(messages[0].ends_with("CORS is off"), "{messages:?}");
}

/// It is open to everybody as in the reference, but nobody has asked for credentials to be sent everywhere.
#[test]
fn a_list_that_cannot_be_read_lets_nobody_send_credentials() {
    for list in [
        "https://a.test/path",
        "https://a.test, https://b.test/",
        "https://*",
        "https://a.*.test",
        "https://a.test:x",
        "://a.test",
        "https://a\n.test",
    ] {
        let (read, messages) = cors(&[("cors-allow-origin", list)]);
        assert_eq!(read, Some(Cors { credentials: false, ..defaults() }), "{list}");
        assert!(messages.iter().any(|text| text.contains("without credentials")), "{messages:?}");
    }
}

#[test]
fn without_validation_nothing_else_gets_into_a_header() {
    let options = Options { enable_annotation_validation: false, ..Options::default() };
    let annotations = prefixed(&[
        ("enable-cors", "true"),
        ("cors-allow-origin", "https://a.test, https://b.test/"),
        ("cors-allow-methods", "GET; \u{e9}"),
        ("cors-allow-headers", "$x"),
    ]);
    let (read, _) = read_all(&options, &Config::default().defaults, annotations).unwrap();
    let origins = listed(&["https://a.test"]);
    let expected = Cors { origins, headers: "$x".into(), ..defaults() };
    assert_eq!(read.cors.as_deref(), Some(&expected));
}
