//! Client certificates where something else protects the host as well.

use std::{sync::Arc, time::Duration};

use headgate_config::{
    Action, Blocked, ClientCertificates, Host, Location, PathMatch, Snapshot,
    client_certificates::{ErrorPage, Mode, Verification},
    protection::CacheDuration,
    snippet::{HostSnippet, PathRewrite, Reply as Said, Step, Text, Then},
};

use super::verification;
use crate::{
    external::{Guarded, status},
    support::{
        Identity, Table, TestGateway, Upstream, snapshot,
        upstream::{Reply, ok},
        visitor::{Authority, Door},
    },
};

/// `a.test` with one location, asking for certificates.
fn table(
    upstream: &Upstream,
    location: Location,
    asks: Verification,
    blocked: Blocked,
) -> Snapshot {
    let table = Table::default().upstream("app", &[upstream.address]).blocked(blocked);
    let mut table = table.location("a.test", location).build();
    table.tls = Identity::new().table();
    let certificates = Arc::new(ClientCertificates::Verify(asks));
    let hosts = table.hosts.iter().map(|host| {
        let client_certificates = (host.name == "a.test").then(|| Arc::clone(&certificates));
        Arc::new(Host { client_certificates, ..Host::clone(host) })
    });
    table.hosts = hosts.collect();
    table
}

#[test]
fn a_service_that_is_asked_is_told_about_the_certificate_by_nobody_but_the_gateway() {
    let app = Upstream::echo("app");
    let service = Upstream::scripted(|_, _| status(200, ""));
    let ca = Authority::new("ca");
    let location = Guarded::by(&app, service.address).location("/");
    let asks = verification(&[&ca], Mode::Optional);
    let gateway = TestGateway::start(table(&app, location, asks, Blocked::default()));
    let good = ca.client("good");
    for (visitor, verified, subject) in
        [(Some(&good), "SUCCESS", Some("CN=good")), (None, "NONE", None)]
    {
        let mut client = Door::of(visitor, "http/1.1").connect(gateway.https, "a.test");
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\nssl-client-verify: forged\r\nssl-client-subject-dn: CN=forged\r\n\r\n");
        assert_eq!(client.answer().status, 200);
        let seen = service.seen().pop().expect("a question");
        assert_eq!(seen.header("ssl-client-verify"), Some(verified));
        assert_eq!(seen.header("ssl-client-subject-dn"), subject);
        assert!(!seen.head.contains("forged"), "{}", seen.head);
    }
}

#[test]
fn what_is_remembered_of_one_certificate_does_not_let_another_pass() {
    let app = Upstream::scripted(|_, seen| Reply::Bytes(ok(seen.header("x-user").unwrap_or("-"))));
    let service = Upstream::scripted(|_, seen| match seen.header("ssl-client-subject-dn") {
        Some(subject) => status(200, &format!("X-User: {subject}\r\n")),
        None => status(401, ""),
    });
    let ca = Authority::new("ca");
    let guarded = Guarded::by(&app, service.address).with(|spec| {
        spec.cache_key = Some("the same for all".into());
        spec.cache_durations =
            vec![CacheDuration { statuses: vec![200, 401], time: Duration::from_secs(600) }];
    });
    let asks = verification(&[&ca], Mode::Optional);
    let table = table(&app, guarded.location("/"), asks, Blocked::default());
    let gateway = TestGateway::start(table);
    let (one, other) = (ca.client("one"), ca.client("other"));
    let ask = |visitor| {
        let mut client = Door::of(visitor, "http/1.1").connect(gateway.https, "a.test");
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let answer = client.answer();
        (answer.status, answer.text().to_owned())
    };
    for _ in 0..2 {
        assert_eq!(ask(Some(&one)), (200, "CN=one".into()));
        assert_eq!(ask(Some(&other)), (200, "CN=other".into()));
        assert_eq!(ask(None).0, 401);
    }
    assert_eq!(service.seen().len(), 3, "each answer is remembered");
}

#[test]
fn a_load_balancer_needs_no_certificate_to_see_that_the_gateway_lives() {
    let app = Upstream::echo("app");
    let mut location = snapshot::location(PathMatch::Exact("/healthz".into()), "");
    location.action = Action::Health;
    let asks = verification(&[&Authority::new("ca")], Mode::Required);
    let gateway = TestGateway::start(table(&app, location, asks, Blocked::default()));
    for (path, status) in [("/healthz", 200), ("/other", 400)] {
        let mut client = Door::of(None, "http/1.1").connect(gateway.https, "a.test");
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(client.answer().status, status, "{path}");
    }
}

#[test]
fn the_path_of_health_does_not_open_what_steps_of_the_host_make_of_it() {
    let app = Upstream::echo("app");
    let mut health = snapshot::location(PathMatch::Exact("/healthz".into()), "");
    health.action = Action::Health;
    let page = Some(ErrorPage::Path("/login".into()));
    let elsewhere = |path: &str, then| {
        let (regex, path) = ("^/healthz$".into(), Text::plain(path));
        Step::Rewrite(PathRewrite { regex, path, query: None, keeps_query: true, then })
    };
    let reply = Step::Return(Said { status: 200, text: Some(Text::plain("inside")) });
    for (step, error_page, status, seen) in [
        (elsewhere("/secret", Then::Search), None, 400, None),
        (elsewhere("/secret", Then::Redirect(302)), None, 400, None),
        (reply, None, 400, None),
        (elsewhere("/secret", Then::Search), page, 200, Some("GET /login HTTP/1.1")),
    ] {
        let asks =
            Verification { error_page, ..verification(&[&Authority::new("ca")], Mode::Required) };
        let mut table = table(&app, health.clone(), asks, Blocked::default());
        let snippet = Arc::new(HostSnippet { steps: vec![step], ..HostSnippet::default() });
        let open = Arc::new(snapshot::location(PathMatch::Prefix("/".into()), "app"));
        let hosts = table.hosts.iter().map(|host| match &*host.name {
            "a.test" => {
                let locations = host.locations.iter().cloned().chain([Arc::clone(&open)]);
                let (locations, snippet) = (locations.collect(), Some(Arc::clone(&snippet)));
                Arc::new(Host { locations, snippet, ..Host::clone(host) })
            }
            _ => Arc::clone(host),
        });
        table.hosts = hosts.collect();
        let gateway = TestGateway::start(table);
        let mut client = Door::of(None, "http/1.1").connect(gateway.https, "a.test");
        client.send("GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("location")), (status, None));
        assert_eq!(app.seen().pop().as_ref().map(|seen| seen.line()), seen);
    }
}

#[test]
fn a_bad_certificate_is_said_before_a_blocked_client_and_a_wrong_subject_after_it() {
    let app = Upstream::echo("app");
    let ca = Authority::new("ca");
    let mut asks = verification(&[&ca], Mode::Required);
    asks.subject = Some("CN=good".into());
    let blocked = Blocked { user_agents: vec!["bad".into()], ..Blocked::default() };
    let location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    let gateway = TestGateway::start(table(&app, location, asks, blocked));
    let (good, other) = (ca.client("good"), ca.client("other"));
    for (visitor, agent, status, text) in [
        (None, "bad", 400, "No required SSL certificate"),
        (Some(&good), "bad", 403, "403 Forbidden"),
        (Some(&good), "fine", 200, "app"),
        (Some(&other), "fine", 403, "client certificate unauthorized"),
        (Some(&other), "bad", 403, "<center>nginx</center>"),
    ] {
        let mut client = Door::of(visitor, "http/1.1").connect(gateway.https, "a.test");
        client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: {agent}\r\n\r\n"));
        let answer = client.answer();
        assert_eq!(answer.status, status, "{agent}: {answer:?}");
        assert!(answer.text().contains(text), "{agent}: {answer:?}");
    }
}
