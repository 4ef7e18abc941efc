//! Client certificates where something else protects the host as well.

use std::sync::Arc;

use headgate_config::{
    Blocked, ClientCertificates, Host, Location, PathMatch, Snapshot,
    client_certificates::{Mode, Verification},
};

use super::verification;
use crate::{
    external::{Guarded, status},
    support::{
        Identity, Table, TestGateway, Upstream, snapshot,
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
