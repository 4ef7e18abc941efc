//! Client certificates over real handshakes: who is let in, what upstreams are told, and that no other host's name, and
//! no earlier session, gets around it.

mod beside_others;
mod connections;
mod recorded;

use std::sync::Arc;

use headgate_config::{
    ClientCertificates, Host, HostPattern, ObjectRef, Snapshot,
    client_certificates::{Authorities, ErrorPage, Mode, Verification},
};
use rcgen::{ExtendedKeyUsagePurpose, SerialNumber, date_time_ymd};

use crate::support::{
    Client, Http2, Identity, Table, TestGateway, Upstream,
    client::Answer,
    http2::END_STREAM,
    upstream::{Reply, ok},
    visitor::{Authority, Door, Visitor, is_resumed, named},
};

const H1: &str = "http/1.1";

/// An upstream that answers with the head that it was sent.
fn mirror() -> Upstream {
    Upstream::scripted(|_, seen| Reply::Bytes(ok(&seen.head)))
}

fn verification(authorities: &[&Authority], mode: Mode) -> Verification {
    let certificates = authorities.iter().map(|one| one.der.clone()).collect();
    Verification {
        authorities: Arc::new(Authorities { certificates, revocation_lists: Vec::new() }),
        mode,
        depth: 1,
        subject: None,
        error_page: None,
        pass_certificate: false,
        origin: ObjectRef {
            kind: "Ingress".into(),
            namespace: "default".into(),
            name: "test".into(),
        },
    }
}

/// Hosts `a.test`, `b.test` and `open.test`, and the default host; some of them ask for certificates.
fn table(upstream: &Upstream, asks: &[(&str, ClientCertificates)]) -> Snapshot {
    let mut table = Table::default()
        .upstream("app", &[upstream.address])
        .prefix("a.test", "/", "app")
        .prefix("b.test", "/", "app")
        .prefix("open.test", "/", "app")
        .log_format("$status $ssl_client_verify \"$ssl_client_s_dn\" \"$ssl_client_i_dn\"")
        .build();
    table.tls = Identity::new().table();
    let hosts = table.hosts.iter().map(|host| {
        let own = asks.iter().find(|(name, _)| *name == host.name);
        let client_certificates = own.map(|(_, certificates)| Arc::new(certificates.clone()));
        Arc::new(Host { client_certificates, ..Host::clone(host) })
    });
    table.hosts = hosts.collect();
    table
}

fn gateway(upstream: &Upstream, verification: Verification) -> TestGateway {
    TestGateway::start(table(upstream, &[("a.test", ClientCertificates::Verify(verification))]))
}

fn ask(client: &mut Client, host: &str) -> Answer {
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client.answer()
}

/// The answer of `a.test` to a client.
fn answer(gateway: &TestGateway, visitor: Option<&Visitor>) -> Answer {
    ask(&mut Door::of(visitor, H1).connect(gateway.https, "a.test"), "a.test")
}

fn status(gateway: &TestGateway, visitor: &Visitor) -> u16 {
    answer(gateway, Some(visitor)).status
}

#[test]
fn who_has_to_have_a_certificate() {
    let upstream = mirror();
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    let (good, bad, stranger) =
        (ca.client("good"), other.client("bad"), Visitor::stranger("stranger"));
    let mut old = named("old");
    (old.not_before, old.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let old = ca.issues(old);
    for (mode, none, unknown, expired) in [
        (Mode::Required, 400, 400, 400),
        (Mode::Optional, 200, 400, 400),
        (Mode::OptionalUntrusted, 200, 200, 400),
        (Mode::Off, 200, 200, 200),
    ] {
        let gateway = gateway(&upstream, verification(&[&ca], mode));
        assert_eq!(status(&gateway, &good), 200, "{mode:?}");
        assert_eq!(answer(&gateway, None).status, none, "{mode:?}");
        assert_eq!(status(&gateway, &bad), unknown, "{mode:?}");
        assert_eq!(status(&gateway, &stranger), unknown, "{mode:?}");
        assert_eq!(status(&gateway, &old), expired, "{mode:?}");
        for (visitor, status) in [(Some(&good), 200), (None, none), (Some(&bad), unknown)] {
            let mut client = Door::old(visitor).connect(gateway.https, "a.test");
            assert_eq!(ask(&mut client, "a.test").status, status, "TLS 1.2, {mode:?}");
        }
    }
}

#[test]
fn the_pages_say_what_is_wrong_and_the_connection_ends() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let gateway = gateway(&upstream, verification(&[&ca], Mode::Required));
    for (visitor, text) in [
        (None, "No required SSL certificate was sent"),
        (Some(Visitor::stranger("x")), "The SSL certificate error"),
    ] {
        let mut client = Door::of(visitor.as_ref(), H1).connect(gateway.https, "a.test");
        let answer = ask(&mut client, "a.test");
        assert!(answer.text().contains(text), "{answer:?}");
        assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
        assert!(client.is_closed());
    }
    assert_eq!(gateway.logged(0), "400 NONE \"-\" \"-\"");
    assert_eq!(gateway.logged(1), "400 FAILED:self-signed certificate \"CN=x\" \"CN=x\"");
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_certificate_is_judged_by_more_than_its_issuer() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let middle = ca.below("middle");
    let far = middle.below("far");
    let mut asks = verification(&[&ca], Mode::Required);
    let plain = gateway(&upstream, asks.clone());
    assert_eq!(status(&plain, &middle.client("x").with(&[&middle])), 200);
    assert_eq!(status(&plain, &far.client("x").with(&[&far, &middle])), 400, "too deep");
    assert_eq!(status(&plain, &Authority::new("ca").client("x")), 400, "forged");
    let mut server = named("server");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(status(&plain, &ca.issues(server)), 400, "not for clients");

    let serial = |serial: u64| {
        let mut params = named("client");
        params.serial_number = Some(SerialNumber::from(serial));
        ca.issues(params)
    };
    let certificates = vec![ca.der.clone()];
    asks.authorities =
        Arc::new(Authorities { certificates, revocation_lists: vec![ca.revokes(&[7])] });
    let revoking = gateway(&upstream, asks);
    assert_eq!(status(&revoking, &serial(7)), 400);
    assert_eq!(status(&revoking, &serial(8)), 200);
}

#[test]
fn a_handshake_needs_the_key_of_the_certificate() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let gateway = gateway(&upstream, verification(&[&ca], Mode::OptionalUntrusted));
    let thief = Visitor::stranger("x").pretends_to_be(&ca.client("good"));
    for door in [Door::of(Some(&thief), H1), Door::old(Some(&thief))] {
        let mut client = door.connect(gateway.https, "a.test");
        let sent = client.try_send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let refused = !sent
            || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.try_answer()))
                .map_or(true, |answer| answer.is_none());
        assert!(refused);
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn upstreams_are_told_and_forged_headers_are_dropped() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let client = ca.client("O\u{fc}, \"x\"");
    let mut asks = verification(&[&ca], Mode::OptionalUntrusted);
    asks.pass_certificate = true;
    let table = table(&upstream, &[("a.test", ClientCertificates::Verify(asks.clone()))]);
    let gateway = TestGateway::start(table);
    let forged = "ssl-client-verify: SUCCESS\r\nSSL-Client-Subject-DN: CN=root\r\nssl-client-issuer-dn: x\r\n\
                  ssl-client-cert: x\r\nssl_client_verify: SUCCESS\r\nssl-client-new: x\r\nssl-clientele: kept\r\n";
    let told = |answer: &Answer| -> Vec<String> {
        let lines =
            answer.text().lines().filter(|line| line.to_ascii_lowercase().starts_with("ssl"));
        lines.map(str::to_owned).collect()
    };
    let head = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n{forged}\r\n");
    let send = |mut client: Client, host: &str| {
        client.send(head(host));
        told(&client.answer())
    };
    let sent = send(Door::of(Some(&client), H1).connect(gateway.https, "a.test"), "a.test");
    assert_eq!(
        sent[..4],
        [
            "ssl-clientele: kept",
            "ssl-client-verify: SUCCESS",
            "ssl-client-subject-dn: CN=O\\C3\\BC\\, \\\"x\\\"",
            "ssl-client-issuer-dn: CN=ca"
        ]
    );
    assert!(
        sent[4].starts_with("ssl-client-cert: -----BEGIN%20CERTIFICATE-----%0AMII"),
        "{sent:?}"
    );
    assert!(sent[4].ends_with("%0A-----END%20CERTIFICATE-----%0A") && sent.len() == 5, "{sent:?}");
    let sent = send(
        Door::of(Some(&Visitor::stranger("x")), H1).connect(gateway.https, "a.test"),
        "a.test",
    );
    assert_eq!(sent[1], "ssl-client-verify: FAILED:self-signed certificate");
    let sent = send(Door::of(None, H1).connect(gateway.https, "a.test"), "a.test");
    assert_eq!(sent[1..], ["ssl-client-verify: NONE"]);
    // Neither where nobody asks, nor without TLS, is anything said; and nothing of it is believed.
    let sent = send(Door::of(Some(&client), H1).connect(gateway.https, "open.test"), "open.test");
    assert_eq!(sent, ["ssl-clientele: kept"]);
    assert_eq!(send(gateway.client(), "a.test"), ["ssl-clientele: kept"]);
    asks.mode = Mode::Off;
    let off = self::gateway(&upstream, asks);
    let sent = send(Door::of(Some(&client), H1).connect(off.https, "a.test"), "a.test");
    assert_eq!(sent[1..], ["ssl-client-verify: NONE"]);
}

#[test]
fn authorities_that_cannot_be_used_close_the_host() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let mut broken = verification(&[&ca], Mode::Optional);
    broken.authorities = Arc::new(Authorities {
        certificates: vec![ca.der.clone()],
        revocation_lists: vec![vec![0x30, 0]],
    });
    let mut pattern = verification(&[&ca], Mode::Optional);
    pattern.subject = Some("CN=((".into());
    for asks in [broken, pattern] {
        let gateway = gateway(&upstream, asks);
        assert_eq!(answer(&gateway, Some(&ca.client("x"))).status, 403);
        assert_eq!(gateway.get("/").status, 403);
        let live = gateway.live.load();
        assert_eq!(live.snapshot.verdicts[0].reason, "InvalidClientAuthority");
    }
}

#[test]
fn subjects() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let mut asks = verification(&[&ca], Mode::Optional);
    for (pattern, name, status) in [
        ("CN=(a|b)$", "b", 200),
        ("CN=(a|b)$", "c", 403),
        ("CN=A", "a", 403),
        ("CN=(?i)A", "a", 200),
        ("CN=a", "ab", 200),
        ("CN=a(?!b)", "ab", 403),
    ] {
        asks.subject = Some(pattern.into());
        let gateway = gateway(&upstream, asks.clone());
        assert_eq!(self::status(&gateway, &ca.client(name)), status, "{pattern} {name}");
        let refused = answer(&gateway, None);
        assert_eq!((refused.status, refused.text()), (403, "client certificate unauthorized"));
        assert_eq!(gateway.get("/").status, 403, "without TLS as well");
        assert_eq!(self::status(&gateway, &Visitor::stranger(name)), 400, "comes first");
    }
    asks.mode = Mode::Off;
    let gateway = gateway(&upstream, asks);
    assert_eq!(self::status(&gateway, &ca.client("a")), 403, "nobody is asked who it is");
}

#[test]
fn error_pages() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let mut asks = verification(&[&ca], Mode::Required);
    asks.error_page = Some(ErrorPage::Redirect("https://err.example/oops".into()));
    let gateway = gateway(&upstream, asks.clone());
    for visitor in [None, Some(Visitor::stranger("x"))] {
        let answer = answer(&gateway, visitor.as_ref());
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some("https://err.example/oops"))
        );
    }
    assert_eq!(status(&gateway, &ca.client("x")), 200);
    assert!(upstream.seen().len() == 1);

    asks.error_page = Some(ErrorPage::Path("/sorry".into()));
    let gateway = self::gateway(&upstream, asks.clone());
    let mut client = Door::of(None, H1).connect(gateway.https, "a.test");
    client.send(
        "POST /secret?x=1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nConnection: upgrade\r\n\
         Upgrade: websocket\r\nssl-client-verify: SUCCESS\r\n\r\nabc",
    );
    let answer = client.answer();
    assert!(
        answer.status == 200 && answer.text().starts_with("GET /sorry HTTP/1.1\r\n"),
        "{answer:?}"
    );
    assert!(answer.text().contains("ssl-client-verify: NONE\r\n"), "{answer:?}");
    assert!(!answer.text().to_ascii_lowercase().contains("upgrade"), "{answer:?}");
    assert_eq!(upstream.seen().last().map(|seen| seen.body.len()), Some(0));
    assert_eq!(ask(&mut client, "a.test").text().lines().next(), Some("GET /sorry HTTP/1.1"));
    asks.subject = Some("CN=x".into());
    let gateway = self::gateway(&upstream, asks);
    assert_eq!(self::answer(&gateway, None).status, 403, "nor is the page for others");
}

#[test]
fn without_tls_no_certificate_is_asked_for() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let gateway = gateway(&upstream, verification(&[&ca], Mode::Required));
    let answer = gateway.get("/");
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("ssl-client"), "{answer:?}");
}
