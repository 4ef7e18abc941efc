//! Locations that ask for a user name and a password.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    sync::Arc,
};

use headgate_config::{
    PathMatch, Protection, Snapshot,
    protection::{AccessLists, PasswordAuth, PasswordScheme, Users},
};

use crate::support::{Client, Identity, TestGateway, Upstream, http2, snapshot, snapshot::Table};

/// Of "secret", made by htpasswd.
const BCRYPT: &str = "$2y$04$pZOMTKRnRG6JwtU5GhaHreV36d5IN4.R7QA11Nb8ysg/iIwOkhhNu";
/// Of "u:a realm:secret", made by htdigest.
const DIGEST: &str = "463a45920503713ac7cc69e207b83fcd";
/// "u:secret", "u:other" and "nobody:secret".
const RIGHT: &str = "Authorization: Basic dTpzZWNyZXQ=\r\n";
const WRONG: &str = "Authorization: Basic dTpvdGhlcg==\r\n";
const NOBODY: &str = "Authorization: Basic bm9ib2R5OnNlY3JldA==\r\n";

fn protection(scheme: PasswordScheme, user: &str, hash: &str) -> Protection {
    let users = Users::new(BTreeMap::from([(user.to_owned(), hash.to_owned())]));
    let password = PasswordAuth { scheme, realm: "a realm".into(), users: Arc::new(users) };
    Protection { password: Some(Arc::new(password)), ..Protection::default() }
}

fn table(upstream: &Upstream, protection: Protection) -> Snapshot {
    let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    location.protection = Some(Arc::new(protection));
    Table::default().upstream("app", &[upstream.address]).location("a.test", location).build()
}

fn basic(upstream: &Upstream) -> TestGateway {
    TestGateway::start(table(upstream, protection(PasswordScheme::Basic, "u", BCRYPT)))
}

fn ask(client: &mut Client, method: &str, headers: &str) -> crate::support::client::Answer {
    client.send(format!("{method} /x HTTP/1.1\r\nHost: a.test\r\n{headers}\r\n"));
    client.answer()
}

#[test]
fn without_the_password_the_realm_is_told_and_nothing_reaches_the_upstream() {
    let upstream = Upstream::echo("in");
    let gateway = basic(&upstream);
    let mut client = gateway.client();
    let twice = format!("{RIGHT}{RIGHT}");
    let others =
        ["", WRONG, NOBODY, "Authorization: Basic !!!\r\n", "Authorization: Bearer abc\r\n"];
    for headers in others.into_iter().chain([twice.as_str()]) {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let body = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
            let answer = ask(&mut client, method, &format!("{headers}{body}"));
            assert_eq!(answer.status, 401, "{method} {headers}");
            assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"a realm\""));
            assert!(answer.text().contains("401 Authorization Required"), "{}", answer.text());
        }
    }
    assert_eq!(upstream.seen().len(), 0);
}

#[test]
fn with_the_password_the_upstream_answers_and_does_not_see_it() {
    let upstream = Upstream::echo("in");
    let gateway = basic(&upstream);
    let mut client = gateway.client();
    for method in ["GET", "PUT", "GET"] {
        let answer =
            ask(&mut client, method, &format!("{RIGHT}X-Other: kept\r\nContent-Length: 0\r\n"));
        assert_eq!((answer.status, answer.text()), (200, "in"), "{method}");
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.header("authorization").is_none()));
    assert!(seen.iter().all(|seen| seen.header("x-other") == Some("kept")));
}

#[test]
fn a_body_is_sent_on_behind_the_check() {
    let upstream = Upstream::echo("in");
    let gateway = basic(&upstream);
    let mut client = gateway.client();
    client
        .send(format!("POST / HTTP/1.1\r\nHost: a.test\r\n{RIGHT}Content-Length: 5\r\n\r\nhello"));
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.seen()[0].body, b"hello");
}

#[test]
fn an_upgrade_needs_the_password() {
    let upstream = Upstream::raw(|mut connection: Client| {
        let head = connection.head().expect("a request");
        assert!(!head.to_lowercase().contains("authorization"), "{head}");
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi\n");
        connection.line();
    });
    let gateway = basic(&upstream);
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(ask(&mut gateway.client(), "GET", upgrade).status, 401);
    let mut client = gateway.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{upgrade}{RIGHT}\r\n"));
    assert!(client.head().expect("a head").starts_with("HTTP/1.1 101"));
    assert_eq!(client.line().as_deref(), Some("hi\n"));
}

#[test]
fn http2_is_asked_as_well() {
    let upstream = Upstream::echo("in");
    let gateway = basic(&upstream);
    let mut client = http2::Http2::connect(gateway.http, 65_535);
    client.request(1, "GET", "/", http2::END_STREAM);
    let frames = client.stream(1);
    assert!(frames.iter().any(http2::Frame::is_last) && !frames.iter().any(http2::Frame::is_ok));
    assert_eq!(upstream.seen().len(), 0);
}

#[test]
fn a_new_list_of_users_counts_at_once() {
    let upstream = Upstream::echo("in");
    let gateway = basic(&upstream);
    let mut client = gateway.client();
    assert_eq!(ask(&mut client, "GET", RIGHT).status, 200);
    let other = protection(PasswordScheme::Basic, "u", "{PLAIN}other");
    gateway.live.publish(table(&upstream, other));
    assert_eq!(ask(&mut client, "GET", RIGHT).status, 401);
    assert_eq!(ask(&mut client, "GET", WRONG).status, 200);
}

#[test]
fn where_one_is_enough_an_address_spares_the_password_but_never_shows_it() {
    let upstream = Upstream::echo("in");
    let list = |network: &str| AccessLists {
        allow: vec![network.parse().expect("a network")],
        ..AccessLists::default()
    };
    let with = |network| Protection {
        access: Some(Arc::new(list(network))),
        any_is_enough: true,
        ..protection(PasswordScheme::Basic, "u", BCRYPT)
    };
    let gateway = TestGateway::start(table(&upstream, with("127.0.0.0/8")));
    assert_eq!(ask(&mut gateway.client(), "GET", WRONG).status, 200);
    gateway.live.publish(table(&upstream, with("192.0.2.0/24")));
    assert_eq!(ask(&mut gateway.client(), "GET", WRONG).status, 401);
    assert_eq!(ask(&mut gateway.client(), "GET", RIGHT).status, 200);
    assert!(upstream.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn many_who_wait_for_one_password_are_all_answered() {
    let upstream = Upstream::echo("in");
    let gateway = basic(&upstream);
    let mut clients: Vec<_> = (0..20).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{RIGHT}\r\n"));
    }
    assert!(clients.iter_mut().all(|client| client.answer().status == 200));
}

fn digest(upstream: &Upstream) -> TestGateway {
    let table = table(upstream, protection(PasswordScheme::Digest, "u:a realm", DIGEST));
    TestGateway::start(Snapshot { tls: Identity::new().table(), ..table })
}

/// Statuses of what curl gets, one line for each request. It speaks HTTP/2 over TLS only: older versions cannot use a
/// connection without it twice.
fn curl(gateway: &TestGateway, arguments: &[&str]) -> String {
    let (scheme, port) = if arguments.contains(&"--http2") {
        ("https", gateway.https.port())
    } else {
        ("http", gateway.http.port())
    };
    let resolve = format!("a.test:{port}:127.0.0.1");
    let url = format!("{scheme}://a.test:{port}");
    let urls = ["/x?y=1&z=%20", "/second"].map(|path| format!("{url}{path}"));
    let output = Command::new("curl")
        .args(["-s", "-k", "-m", "20", "--resolve", &resolve, "-o", "/dev/null", "-o", "/dev/null"])
        .args(["-w", "%{http_code}\n"])
        .args(arguments)
        .args(urls)
        .stdin(Stdio::null())
        .output()
        .expect("curl is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_real_client_passes_with_a_digest() {
    let upstream = Upstream::echo("in");
    let gateway = digest(&upstream);
    assert_eq!(curl(&gateway, &["--digest", "-u", "u:secret"]), "200\n200\n");
    assert_eq!(curl(&gateway, &["--digest", "-u", "u:secret", "-d", "a=b"]), "200\n200\n");
    assert_eq!(curl(&gateway, &["--digest", "-u", "u:secret", "--http2"]), "200\n200\n");
    let seen = upstream.seen();
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|seen| seen.header("authorization").is_none()));
    assert_eq!(seen[2].body, b"a=b");
    assert_eq!(curl(&gateway, &["--digest", "-u", "u:wrong"]), "401\n401\n");
    assert_eq!(curl(&gateway, &["-u", "u:secret"]), "401\n401\n", "not in clear");
    assert_eq!(upstream.seen().len(), 6);
}

#[test]
fn a_digest_is_asked_for_in_the_words_of_the_reference() {
    let upstream = Upstream::echo("in");
    let gateway = digest(&upstream);
    let answer = gateway.get("/");
    let asked = answer.header("www-authenticate").expect("a question");
    let nonce = asked
        .strip_prefix("Digest algorithm=\"MD5\", qop=\"auth\", realm=\"a realm\", nonce=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    assert!(nonce.is_some_and(|nonce| nonce.len() == 56), "{asked}");
    assert_eq!(answer.status, 401);
}
