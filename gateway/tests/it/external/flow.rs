//! Signing in, from the first visit to the cookie, with a service that works as oauth2-proxy does.

use super::*;

/// `/oauth2/auth` says who the bearer of the cookie is, `/oauth2/start` lets everybody sign in.
fn provider() -> Upstream {
    Upstream::scripted(|_, seen| {
        let target = seen.line().split(' ').nth(1).expect("a target").to_owned();
        let cookie = seen.header("cookie").unwrap_or_default();
        match target.split('?').next() {
            Some("/oauth2/auth") if cookie.contains("_oauth2_proxy=alice") => status(
                202,
                "X-Auth-Request-User: alice\r\nX-Auth-Request-Email: alice@x.test\r\nSet-Cookie: _oauth2_proxy=alice\r\nSet-Cookie: seen=1\r\n",
            ),
            Some("/oauth2/auth") => {
                status(401, "WWW-Authenticate: Bearer realm=\"x\"\r\nSet-Cookie: csrf=1\r\n")
            }
            Some("/oauth2/start") => {
                let back = target.split_once("rd=").map_or("/", |(_, back)| back);
                let back = back.replace("%2F", "/").replace("%3F", "?").replace("%3D", "=");
                status(302, &format!("Location: {back}\r\nSet-Cookie: _oauth2_proxy=alice\r\n"))
            }
            _ => status(404, ""),
        }
    })
}

fn set_cookies(answer: &crate::support::client::Answer) -> Vec<String> {
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    let lines = lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    lines.map(|(_, value)| value.to_owned()).collect()
}

#[test]
fn a_visitor_signs_in_and_comes_back() {
    let app = Upstream::scripted(|_, _| {
        Reply::Bytes(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: own=1\r\nContent-Length: 3\r\n\r\napp".to_vec(),
        )
    });
    let provider = provider();
    let guarded = Guarded::by(&app, provider.address)
        .with(|spec| {
            spec.url = format!("http://{}/oauth2/auth", provider.address);
            spec.response_headers =
                vec!["X-Auth-Request-User".into(), "X-Auth-Request-Email".into()];
        })
        .signing_in_at("http://$host/oauth2/start");
    let table = snapshot::Table::default()
        .upstream("app", &[app.address])
        .upstream("provider", &[provider.address])
        .location("a.test", guarded.location("/"))
        .prefix("a.test", "/oauth2/", "provider");
    let gateway = TestGateway::start(table.build());

    let first = get(&gateway, "/shop?page=2", "");
    assert_eq!(first.status, 302);
    let start = first.header("location").expect("a place to go to").to_owned();
    assert_eq!(start, "http://a.test/oauth2/start?rd=http://a.test%2Fshop%3Fpage%3D2");
    assert_eq!(first.header("www-authenticate"), Some("Bearer realm=\"x\""));
    assert_eq!(set_cookies(&first), ["csrf=1"]);

    let started = get(&gateway, start.strip_prefix("http://a.test").expect("here"), "");
    assert_eq!(started.header("location"), Some("http://a.test/shop?page=2"));
    let cookie = set_cookies(&started).remove(0);

    let headers = format!("Cookie: {cookie}\r\nX-Auth-Request-User: root\r\n");
    let back = get(&gateway, "/shop?page=2", &headers);
    assert_eq!((back.status, back.text()), (200, "app"));
    assert_eq!(set_cookies(&back), ["own=1", "_oauth2_proxy=alice", "seen=1"]);
    let seen = app.seen().remove(0);
    assert_eq!(header_lines(&seen, "x-auth-request-user"), ["alice"]);
    assert_eq!(header_lines(&seen, "x-auth-request-email"), ["alice@x.test"]);
    assert_eq!(app.seen().len(), 1);
}

#[test]
fn nobody_signs_in_for_what_is_forbidden_or_broken() {
    for code in [403, 500, 302] {
        let (app, service) =
            (Upstream::echo("app"), Upstream::scripted(move |_, _| status(code, "")));
        let gateway = Guarded::by(&app, service.address).signing_in_at("http://x/").start();
        let answer = get(&gateway, "/", "");
        assert_eq!(answer.status, if code == 403 { 403 } else { 500 });
        assert_eq!(answer.header("location"), None);
    }
}

#[test]
fn cookies_go_with_every_status_only_if_that_is_wanted() {
    for (always, code, expected) in [
        (false, 401, 0),
        (true, 401, 1),
        (false, 403, 0),
        (true, 403, 1),
        (true, 500, 1),
        (false, 200, 1),
    ] {
        let app = Upstream::echo("app");
        let service = Upstream::scripted(move |_, _| status(code, "Set-Cookie: a=1\r\n"));
        let gateway =
            Guarded::by(&app, service.address).with(|spec| spec.always_set_cookie = always).start();
        let answer = get(&gateway, "/", "");
        assert_eq!((answer.status, set_cookies(&answer).len()), (code, expected), "{always}");
    }
}

#[test]
fn the_page_to_sign_in_at_is_the_configured_one_whatever_is_asked_for() {
    let (app, service) = (Upstream::echo("app"), service(401, ""));
    let gateway =
        Guarded::by(&app, service.address).signing_in_at("https://login.test/s?a=1").start();
    for target in
        ["//evil.test/x", "/x?a=b&rd=https://evil.test/&c=d", "/\\evil.test", "/%0d%0aX: y"]
    {
        if target.contains(' ') {
            continue;
        }
        let answer = get(&gateway, target, "");
        let location = answer.header("location").expect("a place to go to");
        let rest = location.strip_prefix("https://login.test/s?a=1&rd=http://a.test").expect("it");
        assert!(!rest.contains(['/', '&', '?', '#', '\\', ':']), "{location}");
    }
}
