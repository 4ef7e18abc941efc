use std::sync::Arc;

use headgate_config::ObjectRef;

use super::*;

fn expanded(headers: &[(&'static str, &'static str)], text: &str) -> String {
    expanded_with(headers, false, text)
}

fn expanded_with(
    headers: &[(&'static str, &'static str)],
    underscores: bool,
    text: &str,
) -> String {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    let object = ObjectRef { kind: "Ingress".into(), namespace: "shop".into(), name: "app".into() };
    let origin = Arc::new(Origin { object: Some(object), path: "/p".into(), ..Origin::default() });
    let variables = Variables {
        method: &Method::PUT,
        headers: &map,
        underscores,
        host: b"a.test",
        http_host: b"A.test:8080",
        best_host: b"b.test",
        scheme: b"https",
        listener_scheme: b"http",
        listener_port: b"80",
        client_ip: b"192.0.2.1",
        target: b"/a%20b?x=1&Y=&y=2",
        path: b"/a b",
        query: b"x=1&Y=&y=2",
        request_id: b"id",
        origin: &origin,
        connection: None,
        span: None,
    };
    String::from_utf8(variables.expand(text)).unwrap()
}

#[test]
fn names_end_where_they_end() {
    assert_eq!(
        parts("a$b-${c}d$"),
        [
            Part::Text("a"),
            Part::Variable("b"),
            Part::Text("-"),
            Part::Variable("c"),
            Part::Text("d"),
            Part::Variable("")
        ]
    );
    assert_eq!(expanded(&[], "$host:$server_port/$unknown${args}!"), "a.test:80/x=1&Y=&y=2!");
}

#[test]
fn what_is_believed_and_what_is_not_have_names_of_their_own() {
    assert_eq!(
        expanded(&[], "$scheme $pass_access_scheme $http_host $best_http_host"),
        "http https A.test:8080 b.test"
    );
    assert_eq!(expanded(&[], "$namespace/$ingress_name$location_path"), "shop/app/p");
}

#[test]
fn repeated_headers_are_all_there() {
    let headers = [("x-token", "a"), ("x-other", "b"), ("x_token", "c"), ("cookie", "k=1")];
    let text = "$http_x_token|$http_x_none|$http_cookie";
    assert_eq!(expanded_with(&headers, true, text), "a, c||k=1");
    assert_eq!(expanded(&headers, text), "a||k=1", "what upstreams do not get is not there");
    assert_eq!(expanded(&[("x_user", "admin"), ("x.user", "b")], "$http_x_user"), "");
}

#[test]
fn parts_of_the_query_of_cookies_and_of_credentials() {
    assert_eq!(expanded(&[], "$arg_X$is_args$arg_y."), "1?.");
    let headers = [
        ("cookie", "a=1; session=s=2"),
        ("cookie", "b=3"),
        ("authorization", "Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ=="),
    ];
    assert_eq!(
        expanded(&headers, "$cookie_session $cookie_b $cookie_c $remote_user"),
        "s=2 3  aladdin"
    );
    assert_eq!(expanded(&[], "$escaped_request_uri"), "%2Fa%2520b%3Fx%3D1%26Y%3D%26y%3D2");
}

#[test]
fn templates_say_the_same_as_their_texts() {
    let fixed = |text| Template::new(text).fixed().map(str::to_owned);
    assert_eq!(
        (fixed(""), fixed("a b"), fixed("a$b")),
        (Some("".into()), Some("a b".into()), None)
    );
    let time = expanded(&[], "${msec}|$time_iso8601");
    let (seconds, iso) = time.split_once('|').unwrap();
    assert!(seconds.parse::<f64>().unwrap() > 1.7e9, "{seconds}");
    assert_eq!((iso.len(), &iso[10..11], &iso[19..]), (25, "T", "+00:00"));
}
