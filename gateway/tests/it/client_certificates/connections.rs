//! A connection was made for one host: what that means for requests to others, for later connections, and when the rules
//! change meanwhile.

use super::*;

#[test]
fn another_hosts_name_does_not_get_around_it() {
    let upstream = mirror();
    let (ca, of_b) = (Authority::new("ca"), Authority::new("b"));
    let both = ca.client("x");
    let asks = |ca: &Authority, mode| ClientCertificates::Verify(verification(&[ca], mode));
    for mode in [Mode::Required, Mode::Optional, Mode::OptionalUntrusted] {
        let hosts = [("a.test", asks(&ca, mode)), ("b.test", asks(&of_b, Mode::Optional))];
        let gateway = TestGateway::start(table(&upstream, &hosts));
        let door = Door::of(Some(&both), H1);
        let before = upstream.seen().len();
        let connect = |name: &str| door.connect(gateway.https, name);
        assert_eq!(ask(&mut connect("open.test"), "a.test").status, 421);
        assert_eq!(ask(&mut connect("unknown.test"), "a.test").status, 421);
        assert_eq!(ask(&mut connect("b.test"), "a.test").status, 421);
        assert_eq!(ask(&mut connect("a.test"), "b.test").status, 421);
        assert_eq!(ask(&mut door.connect_without_name(gateway.https), "a.test").status, 421);
        // The target's host counts, whatever Host says.
        let mut client = connect("open.test");
        client.send("GET http://a.test/ HTTP/1.1\r\nHost: open.test\r\n\r\n");
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (421, Some("close")));
        assert_eq!(upstream.seen().len(), before, "{mode:?}");

        let mut client = connect("a.test");
        assert_eq!(ask(&mut client, "open.test").status, 200, "an open host needs nothing");
        assert_eq!(ask(&mut client, "A.test:443").status, 200);
        assert_eq!(ask(&mut client, "a.test.").status, 200);
        assert_eq!(ask(&mut client, "b.test").status, 421, "nor may a connection change over");
    }
}

#[test]
fn http2_streams_do_not_get_around_it() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let gateway = gateway(&upstream, verification(&[&ca], Mode::Required));
    let good = ca.client("x");
    for (visitor, name, host, expected) in [
        (Some(&good), "a.test", "a.test", "200 SUCCESS \"CN=x\" \"CN=ca\""),
        (None, "a.test", "a.test", "400 NONE \"-\" \"-\""),
        (Some(&good), "open.test", "a.test", "421 NONE \"-\" \"-\""),
        (Some(&good), "a.test", "open.test", "200 - \"CN=x\" \"CN=ca\""),
    ] {
        let before = gateway.log().len();
        let client = Door::of(visitor, "h2").connect(gateway.https, name);
        let mut client = Http2::over(client, 65_535);
        client.request_of(host, 1, "GET", "/", END_STREAM);
        let frames = client.stream(1);
        assert_eq!(frames[0].is_ok(), expected.starts_with("200"));
        assert_eq!(gateway.logged(before), expected);
        // The connection goes on for hosts that it may be used for.
        client.request_of("open.test", 3, "GET", "/", END_STREAM);
        assert!(client.stream(3)[0].is_ok());
        gateway.logged(before + 1);
    }
}

#[test]
fn aliases_and_the_default_host_ask_as_well() {
    let upstream = mirror();
    let ca = Authority::new("ca");
    let asks = || ClientCertificates::Verify(verification(&[&ca], Mode::Required));
    let mut table = table(&upstream, &[("a.test", asks()), ("_", asks())]);
    let hosts = table.hosts.iter().map(|host| match &*host.name {
        "a.test" => Arc::new(Host {
            aliases: vec![
                HostPattern::Exact("alias.test".into()),
                HostPattern::AnyDepth("w.test".into()),
            ],
            ..Host::clone(host)
        }),
        _ => Arc::clone(host),
    });
    table.hosts = hosts.collect();
    let gateway = TestGateway::start(table);
    let (good, none) = (ca.client("x"), None);
    for (name, host, with, without) in [
        ("alias.test", "alias.test", 200, 400),
        ("x.y.w.test", "x.y.w.test", 200, 400),
        ("alias.test", "a.test", 200, 400),
        ("a.test", "x.w.test", 200, 400),
        ("open.test", "alias.test", 421, 421),
        ("other.test", "other.test", 404, 400),
        ("other.test", "another.test", 404, 400),
        ("open.test", "other.test", 421, 421),
        ("other.test", "a.test", 421, 421),
    ] {
        let connect = |visitor| Door::of(visitor, H1).connect(gateway.https, name);
        assert_eq!(ask(&mut connect(Some(&good)), host).status, with, "{name} {host}");
        assert_eq!(ask(&mut connect(none), host).status, without, "{name} {host}");
    }
    let mut client = Door::of(Some(&good), H1).connect_without_name(gateway.https);
    assert_eq!(ask(&mut client, "other.test").status, 404, "without a name it is the default host");
}

#[test]
fn sessions_are_not_resumed_where_a_certificate_is_asked_for() {
    let upstream = mirror();
    let (ca, of_b) = (Authority::new("ca"), Authority::new("b"));
    let asks = |ca: &Authority| ClientCertificates::Verify(verification(&[ca], Mode::Required));
    let hosts = [("a.test", asks(&ca)), ("b.test", asks(&of_b))];
    let open = table(&upstream, &[("b.test", asks(&of_b))]);
    let gateway = TestGateway::start(table(&upstream, &hosts));
    let good = ca.client("x");
    for door in [Door::of(Some(&good), H1), Door::old(Some(&good))] {
        let visit = |name: &str| {
            let mut client = door.connect(gateway.https, name);
            let status = ask(&mut client, name).status;
            (status, is_resumed(&client))
        };
        gateway.live.publish(table(&upstream, &hosts));
        assert_eq!([visit("open.test"), visit("open.test")], [(200, false), (200, true)]);
        assert_eq!([visit("a.test"), visit("a.test")], [(200, false), (200, false)]);
        assert_eq!(visit("b.test"), (400, false));
        // A session from before the host asked is worth nothing afterwards.
        gateway.live.publish(open.clone());
        assert_eq!([visit("a.test"), visit("a.test")], [(200, false), (200, true)]);
        gateway.live.publish(table(&upstream, &hosts));
        assert_eq!(visit("a.test"), (200, false));
    }
    let door = Door::of(None, H1);
    gateway.live.publish(open);
    assert_eq!(ask(&mut door.connect(gateway.https, "a.test"), "a.test").status, 200);
    gateway.live.publish(table(&upstream, &hosts));
    assert_eq!(ask(&mut door.connect(gateway.https, "a.test"), "a.test").status, 400);
}

#[test]
fn changes_count_for_connections_that_are_open() {
    let upstream = mirror();
    let (ca, next) = (Authority::new("ca"), Authority::new("next"));
    let asks = |ca: &Authority| {
        let verification = verification(&[ca], Mode::Required);
        table(&upstream, &[("a.test", ClientCertificates::Verify(verification))])
    };
    let gateway = TestGateway::start(table(&upstream, &[]));
    let door = Door::of(Some(&ca.client("x")), H1);
    let mut early = door.connect(gateway.https, "a.test");
    assert_eq!(ask(&mut early, "a.test").status, 200);
    gateway.live.publish(asks(&ca));
    assert_eq!(ask(&mut early, "a.test").status, 421, "it was not asked: another one will be");
    let mut client = door.connect(gateway.https, "a.test");
    assert_eq!(ask(&mut client, "a.test").status, 200);
    gateway.live.publish(asks(&next));
    assert_eq!(ask(&mut client, "a.test").status, 400, "another authority");
    assert_eq!(ask(&mut door.connect(gateway.https, "a.test"), "a.test").status, 400);
    gateway.live.publish(table(&upstream, &[("a.test", ClientCertificates::Refuse)]));
    assert_eq!(ask(&mut door.connect(gateway.https, "a.test"), "a.test").status, 403);
    assert_eq!(ask(&mut gateway.client(), "a.test").status, 403, "without TLS as well");
    assert_eq!(ask(&mut gateway.client(), "b.test").status, 200);
}
