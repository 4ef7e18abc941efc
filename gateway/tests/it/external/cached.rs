//! Answers that are remembered, counted by the questions that the service gets.

use std::time::Duration;

use headgate_config::protection::CacheDuration;

use super::*;

fn remembering(app: &Upstream, service: &Upstream) -> Guarded {
    Guarded::by(app, service.address).with(|spec| {
        spec.cache_key = Some("$http_authorization".into());
        let time = Duration::from_secs(3600);
        spec.cache_durations = vec![CacheDuration { statuses: vec![200, 401], time }];
    })
}

/// A service that knows one token, and adds these lines to its answers.
fn tokens(headers: &'static str) -> Upstream {
    Upstream::scripted(move |_, seen| match seen.header("authorization") {
        Some("good") => status(200, &format!("X-User: alice\r\n{headers}")),
        Some("odd") => status(403, headers),
        _ => status(401, &format!("WWW-Authenticate: Bearer\r\n{headers}")),
    })
}

#[test]
fn an_answer_is_remembered_for_its_key() {
    let (app, service) = (Upstream::echo("app"), tokens(""));
    let gateway = remembering(&app, &service).start();
    for _ in 0..3 {
        assert_eq!(get(&gateway, "/", "Authorization: good\r\nX-User: root\r\n").status, 200);
        let denied = get(&gateway, "/", "Authorization: bad\r\n");
        assert_eq!((denied.status, denied.header("www-authenticate")), (401, Some("Bearer")));
        assert_eq!(get(&gateway, "/", "Authorization: odd\r\n").status, 403);
    }
    assert_eq!(service.seen().len(), 1 + 1 + 3, "403 is not remembered here");
    assert_eq!(counted(&gateway, "remembered"), 4);
    assert_eq!(app.seen().len(), 3);
    assert!(app.seen().iter().all(|seen| seen.header("x-user") == Some("alice")));
}

#[test]
fn answers_with_cookies_or_for_nobody_else_are_not_remembered() {
    for headers in [
        "Set-Cookie: a=b\r\n",
        "Cache-Control: no-store\r\n",
        "Cache-Control: max-age=0\r\n",
        "Vary: *\r\n",
    ] {
        let (app, service) = (Upstream::echo("app"), tokens(headers));
        let gateway = remembering(&app, &service).start();
        for _ in 0..2 {
            assert_eq!(get(&gateway, "/", "Authorization: good\r\n").status, 200);
        }
        assert_eq!(service.seen().len(), 2, "{headers}");
    }
    let (app, service) = (Upstream::echo("app"), tokens("Vary: Accept\r\n"));
    let gateway = remembering(&app, &service).start();
    for accept in ["a", "a", "b", "b"] {
        let headers = format!("Authorization: good\r\nAccept: {accept}\r\n");
        assert_eq!(get(&gateway, "/", &headers).status, 200);
    }
    assert_eq!(service.seen().len(), 2);
}

#[test]
fn nothing_is_remembered_without_a_key_or_for_a_method_that_may_change_something() {
    for change in [
        (|spec: &mut ExternalAuth| spec.cache_key = None) as fn(&mut ExternalAuth),
        |spec| spec.method = Some("POST".into()),
        |spec| spec.cache_key = Some("$http_authorization$unknown".into()),
    ] {
        let (app, service) = (Upstream::echo("app"), tokens(""));
        let gateway = remembering(&app, &service).with(change).start();
        for _ in 0..2 {
            assert_eq!(get(&gateway, "/", "Authorization: good\r\n").status, 200);
        }
        assert_eq!(service.seen().len(), 2);
    }
}

#[test]
fn a_table_of_the_same_keeps_answers_and_another_configuration_does_not() {
    let (app, service) = (Upstream::echo("app"), tokens(""));
    let guarded = remembering(&app, &service);
    let gateway = guarded.start();
    let ask = |expected| {
        assert_eq!(get(&gateway, "/", "Authorization: good\r\n").status, 200);
        assert_eq!(service.seen().len(), expected);
    };
    ask(1);
    gateway.live.publish(guarded.table());
    ask(1);
    let other = guarded.with(|spec| spec.response_headers = vec!["X-Groups".into()]);
    gateway.live.publish(other.table());
    crate::support::eventually("the new table is used", || {
        get(&gateway, "/", "Authorization: good\r\n");
        service.seen().len() == 2
    });
}

#[test]
fn locations_do_not_share_answers() {
    let (app, service) = (Upstream::echo("app"), tokens(""));
    let guarded = remembering(&app, &service);
    let table = snapshot::Table::default().upstream("app", &[app.address]);
    let table = table.location("a.test", guarded.location("/b/"));
    let table =
        table.location("a.test", guarded.location("/")).location("b.test", guarded.location("/"));
    let gateway = TestGateway::start(table.build());
    for (host, path, expected) in
        [("a.test", "/", 1), ("a.test", "/b/", 2), ("b.test", "/", 3), ("a.test", "/c", 3)]
    {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: good\r\n\r\n");
        assert_eq!(raw(&gateway, &head).answer().status, 200);
        assert_eq!(service.seen().len(), expected, "{host}{path}");
    }
}

#[test]
fn moving_a_character_between_two_variables_is_another_key() {
    let (app, service) = (Upstream::echo("app"), tokens(""));
    let gateway = remembering(&app, &service)
        .with(|spec| spec.cache_key = Some("$http_authorization$http_x_b".into()))
        .start();
    assert_eq!(get(&gateway, "/", "Authorization: good\r\n").status, 200);
    assert_eq!(get(&gateway, "/", "Authorization: goo\r\nX-B: d\r\n").status, 401);
}
