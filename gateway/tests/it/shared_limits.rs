//! Limits that two gateways count together, in a real redis-server.

mod script;

use std::{
    fs,
    num::NonZeroU32,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_config::{
    ForwardedHeaders, Location, Protection, Snapshot,
    protection::{
        LimitCounting, LimitFallback, LimitId, LimitStore, Rate, RequestLimits, StoreLogin,
        StoreTls,
    },
};

use crate::support::{Redis, Table, TestGateway, Upstream, eventually, snapshot};

/// Longer than any answer takes, so that a busy machine decides nothing.
const PATIENT: Duration = Duration::from_secs(5);

fn store(port: u16) -> LimitStore {
    LimitStore {
        host: "127.0.0.1".into(),
        port,
        database: 0,
        tls: None,
        login: None,
        timeout: PATIENT,
        fallback: LimitFallback::Local,
    }
}

fn closed(port: u16) -> LimitStore {
    LimitStore { fallback: LimitFallback::Closed, ..store(port) }
}

fn rate(requests: u32, burst: u32) -> Option<Rate> {
    NonZeroU32::new(requests).map(|requests| Rate { requests, burst })
}

fn limits() -> RequestLimits {
    RequestLimits {
        id: LimitId { namespace: "default".into(), name: "test".into(), created: 7 },
        per_second: None,
        per_minute: None,
        shared: true,
        connections: None,
        exempt: Vec::new(),
        rate_status: 429,
        connection_status: 503,
    }
}

/// Three requests at once, and nothing more for a minute.
fn three() -> RequestLimits {
    RequestLimits { per_minute: rate(1, 2), ..limits() }
}

fn table(upstream: &Upstream, limits: RequestLimits, store: Option<LimitStore>) -> Snapshot {
    let protection = Protection { limits: Some(limits.into()), ..Protection::default() };
    let change = |location: &mut Location| location.protection = Some(protection.into());
    let forwarded = ForwardedHeaders { real_ip: true, ..ForwardedHeaders::default() };
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .forwarded(forwarded)
        .location("a.test", snapshot::root("app", change));
    match store {
        Some(store) => table.limit_store(store).build(),
        None => table.build(),
    }
}

/// The statuses of so many requests of a client.
fn statuses(gateway: &TestGateway, from: &str, count: usize) -> Vec<u16> {
    let mut client = gateway.client();
    let status = |_| {
        client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: {from}\r\n\r\n"));
        client.answer().status
    };
    (0..count).map(status).collect()
}

/// The value of a metric; none if it is not shown.
fn metric(gateway: &TestGateway, name: &str) -> Option<u64> {
    let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn is_up(gateway: &TestGateway) -> bool {
    metric(gateway, "headgate_limit_store_up") == Some(1)
}

fn decided_locally(gateway: &TestGateway) -> Option<u64> {
    metric(gateway, "headgate_limit_fallbacks_total{fallback=\"local\"}")
}

#[test]
fn two_gateways_enforce_one_limit() {
    let (server, upstream) = (Redis::start(), Upstream::echo("ok"));
    let limits = RequestLimits { per_minute: rate(1, 99), ..limits() };
    let start = || TestGateway::start(table(&upstream, limits.clone(), Some(store(server.port))));
    let (begin, gateways) = (Instant::now(), [start(), start()]);
    let passed = std::thread::scope(|scope| {
        let clients = gateways.iter().cycle().take(4);
        let clients = clients.map(|gateway| scope.spawn(|| statuses(gateway, "192.0.2.1", 75)));
        let clients: Vec<_> = clients.collect();
        let all = clients.into_iter().flat_map(|client| client.join().expect("statuses"));
        all.filter(|status| *status == 200).count()
    });
    let leaked = begin.elapsed().as_secs() as usize / 60;
    assert!((100..=100 + leaked).contains(&passed), "{passed} of 300");
    for gateway in &gateways {
        assert_eq!(decided_locally(gateway), Some(0));
    }
}

#[test]
fn without_the_store_each_counts_for_itself_and_with_it_together_again() {
    let (mut server, upstream) = (Redis::start(), Upstream::echo("ok"));
    let start = || TestGateway::start(table(&upstream, three(), Some(store(server.port))));
    let [one, two] = [start(), start()];
    assert_eq!(statuses(&one, "192.0.2.1", 2), [200, 200]);
    assert_eq!(statuses(&two, "192.0.2.1", 2), [200, 429]);
    server.kill();
    assert_eq!(statuses(&one, "192.0.2.1", 4), [200, 200, 200, 429]);
    assert_eq!(statuses(&two, "192.0.2.1", 4), [200, 200, 200, 429]);
    assert_eq!(metric(&one, "headgate_limit_store_up"), Some(0));
    assert_eq!(decided_locally(&one), Some(4));
    server.run();
    let begin = Instant::now();
    eventually("both have found it", || is_up(&one) && is_up(&two));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(statuses(&two, "192.0.2.2", 2), [200, 200]);
    assert_eq!(statuses(&one, "192.0.2.2", 2), [200, 429]);
    assert_eq!(decided_locally(&one), Some(4));
}

#[test]
fn closed_means_that_nothing_passes_without_the_store() {
    let (mut server, upstream) = (Redis::start(), Upstream::echo("ok"));
    let limits = RequestLimits { exempt: vec!["192.0.2.9".parse().expect("it")], ..three() };
    let gateway = TestGateway::start(table(&upstream, limits, Some(closed(server.port))));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [200]);
    server.kill();
    let begin = Instant::now();
    assert_eq!(statuses(&gateway, "192.0.2.1", 20), [503; 20]);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(statuses(&gateway, "192.0.2.9", 1), [200], "who has no limit needs no store");
    assert_eq!(upstream.seen().len(), 2);
    let refused = metric(&gateway, "headgate_limit_fallbacks_total{fallback=\"closed\"}");
    assert_eq!(refused, Some(20));
    server.run();
    eventually("it answers again", || statuses(&gateway, "192.0.2.1", 1) == [200]);
}

#[test]
fn while_the_store_hangs_one_request_waits_and_no_more() {
    let (server, upstream) = (Redis::start(), Upstream::echo("ok"));
    let limits = RequestLimits { per_minute: rate(1, 1000), ..limits() };
    let timeout = Duration::from_secs(1);
    let hasty = LimitStore { timeout, ..store(server.port) };
    let gateway = TestGateway::start(table(&upstream, limits, Some(hasty)));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [200]);
    server.hang();
    let times: Vec<_> = (0..50)
        .map(|_| {
            let begin = Instant::now();
            assert_eq!(statuses(&gateway, "192.0.2.1", 1), [200]);
            begin.elapsed()
        })
        .collect();
    let longest = times.iter().max().expect("fifty");
    assert!(*longest < timeout + Duration::from_secs(1), "{longest:?}");
    assert!(times.iter().filter(|time| **time >= timeout).count() <= 1, "{times:?}");
    assert_eq!(decided_locally(&gateway), Some(50));
    server.go_on();
    eventually("it answers again", || is_up(&gateway));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [200]);
    assert_eq!(decided_locally(&gateway), Some(50));
}

#[test]
fn a_store_that_nobody_asks_is_known_to_be_gone() {
    let (mut server, upstream) = (Redis::start(), Upstream::echo("ok"));
    let gateway = TestGateway::start(table(&upstream, three(), Some(store(server.port))));
    eventually("it is up", || is_up(&gateway));
    server.kill();
    eventually("it is gone", || !is_up(&gateway));
    // Without a store there is nothing to say.
    gateway.live.publish(table(&upstream, three(), None));
    assert_eq!(metric(&gateway, "headgate_limit_store_up"), None);
    assert_eq!(statuses(&gateway, "192.0.2.1", 4), [200, 200, 200, 429]);
}

#[test]
fn a_store_that_cannot_be_used_is_one_that_does_not_answer() {
    let upstream = Upstream::echo("ok");
    for (fallback, label, expected, counted) in [
        (LimitFallback::Local, "local", [200, 200, 200, 429], 4),
        (LimitFallback::Closed, "closed", [503; 4], 4),
    ] {
        let limits = RequestLimits { exempt: vec!["192.0.2.9".parse().expect("it")], ..three() };
        let mut table = table(&upstream, limits, None);
        Arc::make_mut(&mut table.settings).limit_store = Some(LimitCounting::Unusable(fallback));
        let gateway = TestGateway::start(table);
        assert_eq!(metric(&gateway, "headgate_limit_store_up"), Some(0));
        assert_eq!(statuses(&gateway, "192.0.2.1", 4), expected);
        assert_eq!(statuses(&gateway, "192.0.2.9", 1), [200], "who has no limit needs no store");
        let name = format!("headgate_limit_fallbacks_total{{fallback=\"{label}\"}}");
        assert_eq!(metric(&gateway, &name), Some(counted));
    }
}

#[test]
fn a_password_is_sent_and_a_new_one_is_taken_at_once() {
    // No more than the documentation asks for.
    let user = "gate on >right ~headgate:limit:* +evalsha +script|load +get +set +time +select";
    let start = ["--port", "{port}", "--requirepass", "other", "--user"];
    let server = Redis::with(start.into_iter().chain(user.split(' ')));
    let upstream = Upstream::echo("ok");
    let with = |password: &str| {
        let login = Some(StoreLogin::new(Some("gate".into()), password.into()));
        let store = LimitStore { login, database: 3, ..closed(server.port) };
        table(&upstream, three(), Some(store))
    };
    let gateway = TestGateway::start(with("wrong"));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [503]);
    gateway.live.publish(with("right"));
    assert_eq!(statuses(&gateway, "192.0.2.1", 4), [200, 200, 200, 429]);
    gateway.live.publish(with("wrong"));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [503]);
    gateway.live.publish(with("right"));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [429], "the server has kept it");
}

#[test]
fn counters_are_those_of_the_store_and_outlive_tables() {
    let (first, second, upstream) = (Redis::start(), Redis::start(), Upstream::echo("ok"));
    let on = |server: &Redis| table(&upstream, three(), Some(closed(server.port)));
    let gateway = TestGateway::start(on(&first));
    assert_eq!(statuses(&gateway, "192.0.2.1", 2), [200, 200]);
    let mut changed = on(&first);
    let again = table(&upstream, RequestLimits { rate_status: 420, ..three() }, None);
    changed.hosts = again.hosts;
    gateway.live.publish(changed);
    assert_eq!(statuses(&gateway, "192.0.2.1", 2), [200, 420]);
    gateway.live.publish(on(&second));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [200], "another store");
    gateway.live.publish(on(&first));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [429]);
    // What the server has forgotten of the script, it is told again.
    assert_eq!(first.say("SCRIPT FLUSH"), "+OK");
    assert_eq!(statuses(&gateway, "192.0.2.2", 1), [200]);
}

#[test]
fn a_store_that_may_not_be_written_to_is_of_no_use() {
    let (server, upstream) = (Redis::start(), Upstream::echo("ok"));
    assert_eq!(server.say("REPLICAOF 127.0.0.1 1"), "+OK");
    let gateway = TestGateway::start(table(&upstream, three(), Some(closed(server.port))));
    assert_eq!(statuses(&gateway, "192.0.2.1", 2), [503, 503]);
    assert_eq!(server.say("REPLICAOF NO ONE"), "+OK");
    eventually("it answers", || statuses(&gateway, "192.0.2.1", 1) == [200]);
}

#[test]
fn over_tls_the_server_has_to_prove_who_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("it");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("it");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let write =
        |name: &str, text: String| fs::write(Path::new(&path(name)), text).expect("written");
    write("tls.crt", made.cert.pem());
    write("tls.key", made.signing_key.serialize_pem());
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let server = Redis::with([
        "--port",
        "0",
        "--tls-port",
        "{port}",
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
    ]);
    let upstream = Upstream::echo("ok");
    let over = |host: &str, authority: String| {
        let tls = Some(StoreTls { authorities: Some(authority) });
        let store = LimitStore { tls, host: host.into(), ..closed(server.port) };
        table(&upstream, three(), Some(store))
    };
    let gateway = TestGateway::start(over("localhost", other.cert.pem()));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [503], "another authority");
    gateway.live.publish(over("127.0.0.1", made.cert.pem()));
    assert_eq!(statuses(&gateway, "192.0.2.1", 1), [503], "another name");
    gateway.live.publish(over("localhost", made.cert.pem()));
    assert_eq!(statuses(&gateway, "192.0.2.1", 4), [200, 200, 200, 429]);
}
