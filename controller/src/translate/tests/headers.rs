//! ConfigMaps with headers, and what depends on them.

use headgate_config::HeaderLine;

use super::*;

fn map(name: &str, data: Value) -> Object {
    typed::<ConfigMap>(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "ns", "name": name }, "data": data,
    }))
}

/// Names and values of `custom-headers` of the first host; nothing if it is denied.
fn custom(plane: &Plane) -> Option<Vec<(String, String)>> {
    let host = plane.last.hosts.iter().find(|host| host.name != "_").expect("a host");
    let location = &host.locations[0];
    match location.action {
        Action::Deny => None,
        _ => Some(location.headers.as_ref().map_or(Vec::new(), |headers| headers.custom.clone())),
    }
}

fn line(name: &str, value: &str) -> HeaderLine {
    HeaderLine { name: name.into(), value: value.into() }
}

#[test]
fn custom_headers_follow_their_config_map_and_the_list_of_what_is_allowed() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&ingress("a.test", &[("custom-headers", "ns/extra")]));
    assert_eq!(custom(&plane), None, "there is no such map");
    plane.apply(&map("extra", json!({ "X-Extra": "$host" })));
    assert_eq!(custom(&plane), None, "the header is not allowed");
    plane.apply(&config_map(json!({ "global-allowed-response-headers": "x-extra" })));
    assert_eq!(custom(&plane), None, "case counts");
    plane.apply(&config_map(json!({ "global-allowed-response-headers": "X-Other, X-Extra" })));
    let lines = |value: &str| Some(vec![("X-Extra".to_owned(), value.to_owned())]);
    assert_eq!(custom(&plane), lines("$host"));
    plane.apply(&map("extra", json!({ "X-Extra": "2" })));
    assert_eq!(custom(&plane), lines("2"));
    plane.remove(Kind::ConfigMap, "ns", "extra");
    assert_eq!(custom(&plane), None);
}

#[test]
fn custom_headers_that_frame_or_cannot_be_are_denied_by_name() {
    let allowed = "Content-Length,Transfer_Encoding,X-A,Bad Name";
    for (annotation, data, said) in [
        ("ns/extra", json!({ "Content-Length": "5" }), "Content-Length"),
        ("ns/extra", json!({ "Transfer_Encoding": "chunked" }), "Transfer_Encoding"),
        ("ns/extra", json!({ "X-A": "" }), "X-A"),
        ("ns/extra", json!({ "X-A": "a\r\nX-B: b" }), "X-A"),
        ("ns/extra", json!({ "X-A": "é" }), "X-A"),
        ("extra", json!({ "X-A": "1" }), "NAMESPACE/NAME"),
    ] {
        let mut plane = Plane::new(with_config_map());
        plane.apply(&config_map(json!({ "global-allowed-response-headers": allowed })));
        plane.apply(&map("extra", data));
        plane.apply(&ingress("a.test", &[("custom-headers", annotation)]));
        assert_eq!(custom(&plane), None);
        let verdict = plane.last.verdicts.iter().find(|verdict| verdict.effect == Effect::Denied);
        let message = &verdict.expect("it is said").message;
        assert!(message.contains(said) && message.contains("custom-headers"), "{message}");
    }
}

#[test]
fn headers_of_all_requests_and_answers_follow_their_config_maps() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&config_map(json!({ "proxy-set-headers": "ns/req", "add-headers": "ns/resp" })));
    let reasons = plane.reasons();
    assert_eq!(reasons, [(Effect::Warning, "InvalidValue"); 2], "neither exists");
    plane.apply(&map("req", json!({ "X-A": "$host", "X-Drop": "" })));
    plane.apply(&map("resp", json!({ "X-B": "1" })));
    let headers = plane.last.settings.headers.clone();
    assert_eq!(headers.request, [line("X-A", "$host"), line("X-Drop", "")]);
    assert_eq!(headers.answer, [line("X-B", "1")]);
    assert_eq!(plane.reasons(), []);
    plane.apply(&map("resp", json!({ "X-B": "2" })));
    assert_eq!(plane.last.settings.headers.answer, [line("X-B", "2")]);
    plane.remove(Kind::ConfigMap, "ns", "req");
    assert_eq!(plane.last.settings.headers.request, []);
}

#[test]
fn what_cannot_be_sent_is_said_and_hides_no_other_header() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&map(
        "req",
        json!({
            "Connection": "close", "Host": "x", "content_length": "1", "Bad Name": "1",
            "X-Good": "1", "X-Unknown": "$no_such", "X-Control": "a\u{1}",
        }),
    ));
    plane.apply(&config_map(json!({ "proxy-set-headers": "ns/req" })));
    let request = &plane.last.settings.headers.request;
    // Where the value cannot be had the client's header does not pass either.
    assert_eq!(*request, [line("X-Control", ""), line("X-Good", "1"), line("X-Unknown", "")]);
    let messages: Vec<_> = plane.last.verdicts.iter().map(|verdict| &verdict.message).collect();
    assert_eq!(messages.len(), 6, "{messages:?}");
    for name in ["Connection", "Host", "content_length", "Bad Name", "X-Control", "$no_such"] {
        assert!(messages.iter().any(|message| message.contains(name)), "{name}: {messages:?}");
    }
}

#[test]
fn annotations_about_answers_win_over_the_config_map() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&config_map(json!({
        "proxy-cookie-path": "/a /b", "proxy-redirect-from": "http://in/", "proxy-redirect-to": "/all",
        "proxy-buffering": "on", "proxy-http-version": "1.0",
    })));
    let own =
        [("proxy-redirect-to", "/own"), ("proxy-cookie-path", "off"), ("proxy-buffering", "off")];
    plane.apply(&ingress("a.test", &own));
    let host = plane.last.hosts.iter().find(|host| host.name == "a.test").expect("a host");
    let location = &host.locations[0];
    let headers = location.headers.as_ref().expect("there are some");
    assert_eq!(headers.cookie_path, None);
    let redirect = headers.redirect.as_ref().expect("there is one");
    assert_eq!((&*redirect.from, &*redirect.to), ("http://in/", "/own"));
    assert!(!location.proxy.buffering && location.proxy.http10);
}
