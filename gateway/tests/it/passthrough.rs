//! TLS connections that are passed through (annotations §3.4).

use std::{collections::BTreeMap, sync::Arc};

use headgate_config::{Endpoints, HostCiphers, Snapshot, Streams, TlsSuite};

use crate::support::{
    Client, Identity, Table, TestGateway, Upstream, eventually,
    snapshot::id,
    upstream::{Reply, ok},
};

/// A table whose host `a.test` is served here with a certificate, and passes connections to `name` through.
fn table(ours: &Identity, app: &Upstream, name: Option<(&str, &Upstream)>) -> Snapshot {
    let passthrough: BTreeMap<_, _> = name
        .map(|(name, upstream)| {
            let endpoints = Endpoints::Addresses(vec![upstream.address]);
            let upstream = headgate_config::Upstream::new(id("secure"), endpoints);
            (name.to_owned(), Arc::new(upstream))
        })
        .into_iter()
        .collect();
    let table =
        Table::default().upstream("app", &[app.address]).prefix("a.test", "/", "app").build();
    Snapshot {
        tls: ours.table(),
        streams: Arc::new(Streams { passthrough, ..Streams::default() }),
        ..table
    }
}

#[test]
fn a_name_that_is_passed_through_reaches_its_upstream_undecrypted() {
    let (ours, theirs, app) = (Identity::new(), Identity::new(), Upstream::echo("app"));
    let secure = theirs.upstream(|_| Reply::Bytes(ok("secure")));
    let gateway = TestGateway::start(table(&ours, &app, Some(("a.test", &secure))));
    // The client trusts that certificate only.
    let mut client = theirs.connect(gateway.https, "http/1.1");
    assert_eq!(client.get("/").text(), "secure");
    gateway.live.publish(table(&ours, &app, None));
    eventually("it ends here", || ours.connect(gateway.https, "http/1.1").get("/").text() == "app");
    assert_eq!(client.get("/").text(), "secure", "an open connection stays as it is");
    assert_eq!(gateway.get("/").text(), "app", "plain HTTP is not concerned");
}

#[test]
fn other_names_and_those_written_otherwise_are_served_here() {
    let (ours, app, other) = (Identity::new(), Upstream::echo("app"), Upstream::echo("other"));
    for name in ["b.test", "A.test", "*.test"] {
        let gateway = TestGateway::start(table(&ours, &app, Some((name, &other))));
        assert_eq!(ours.connect(gateway.https, "http/1.1").get("/").text(), "app", "{name}");
        assert_eq!(other.connections(), 0);
    }
}

#[test]
fn a_first_message_in_pieces_is_understood() {
    let (ours, app) = (Identity::new(), Upstream::echo("app"));
    let (sent, received) = std::sync::mpsc::channel();
    let raw = Upstream::raw(move |mut client| {
        let first = client.exactly(9).expect("bytes");
        sent.send(first).expect("somebody waits");
    });
    let gateway = TestGateway::start(table(&ours, &app, Some(("a.test", &raw))));
    let hello = ours.first_bytes();
    let mut client = Client::connect(gateway.https);
    for byte in &hello {
        client.send([*byte]);
    }
    assert_eq!(received.recv().expect("the upstream is reached"), hello[..9]);
}

#[test]
fn a_first_message_in_very_many_records_is_served_here() {
    let (ours, app, other) = (Identity::new(), Upstream::echo("app"), Upstream::echo("other"));
    let gateway = TestGateway::start(table(&ours, &app, Some(("a.test", &other))));
    let mut client = Client::connect(gateway.https);
    let records: Vec<u8> =
        ours.first_bytes()[5..].iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]).collect();
    client.send(records);
    // A record of the handshake, or an alert, but nothing of the upstream.
    assert!(matches!(client.exactly(1).as_deref(), Some([21 | 22])));
    assert_eq!(other.connections(), 0);
}

#[test]
fn what_is_no_tls_gets_an_alert_or_an_answer_as_ever() {
    let (ours, app) = (Identity::new(), Upstream::echo("app"));
    let gateway = TestGateway::start(table(&ours, &app, Some(("a.test", &app))));
    let mut client = Client::connect(gateway.https);
    // A record that holds no first message.
    client.send([22, 3, 1, 0, 4, 2, 0, 0, 0]);
    assert_eq!(client.exactly(1).as_deref(), Some(&[21][..]));
    assert_eq!(Client::connect(gateway.https).get("/").status, 400);
}

#[test]
fn without_an_endpoint_the_connection_ends() {
    let (ours, app) = (Identity::new(), Upstream::echo("app"));
    let mut table = table(&ours, &app, Some(("a.test", &app)));
    let streams = Arc::make_mut(&mut table.streams);
    for upstream in streams.passthrough.values_mut() {
        Arc::make_mut(upstream).endpoints = Endpoints::Addresses(vec![]);
    }
    let gateway = TestGateway::start(table);
    let mut client = Client::connect(gateway.https);
    client.send(ours.first_bytes());
    assert_eq!(client.exactly(1), None);
}

#[test]
fn names_without_a_host_are_refused_where_that_is_wanted() {
    let (ours, app) = (Identity::new(), Upstream::echo("app"));
    for (known, first) in [(true, 22), (false, 21)] {
        let mut table = table(&ours, &app, None);
        Arc::make_mut(&mut table.settings).tls.rejects_unknown_names = true;
        if !known {
            table.hosts = table.hosts.iter().filter(|host| host.name == "_").cloned().collect();
        }
        let gateway = TestGateway::start(table);
        let mut client = Client::connect(gateway.https);
        client.send(ours.first_bytes());
        // A record of the handshake, or an alert.
        assert_eq!(client.exactly(1), Some(vec![first]), "{known}");
    }
}

#[test]
fn a_host_may_have_suites_of_its_own() {
    let (ours, app) = (Identity::new(), Upstream::echo("app"));
    let mut table = table(&ours, &app, None);
    let strong = HostCiphers {
        suites: [TlsSuite::EcdheEcdsaAes256GcmSha384].into(),
        ..HostCiphers::default()
    };
    table.hosts = table
        .hosts
        .iter()
        .map(|host| {
            let ciphers = (host.name == "a.test").then(|| strong.clone());
            Arc::new(headgate_config::Host { ciphers, ..(**host).clone() })
        })
        .collect();
    let gateway = TestGateway::start(table);
    let client = Client::connect(gateway.https);
    let mut client = ours.speak_old(client, "http/1.1");
    assert_eq!(client.get("/").text(), "app");
    assert_eq!(client.suite(), Some(rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384));
}
