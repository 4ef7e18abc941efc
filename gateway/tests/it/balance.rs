//! Endpoints that are chosen in other ways than in turn, from end to end. Which endpoint is chosen how often is tested where
//! it is decided.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use headgate_config::{
    Balance, Protection, Snapshot,
    balance::{
        Affinity, AffinityCookie, AffinityMode, Canary, CanaryHeader, CanaryRules, CanaryValue,
        HashBy,
    },
    protection::AccessLists,
};

use crate::support::{
    Client, Table, TestGateway, Upstream, eventually, snapshot,
    upstream::{Reply, ok, read_request},
};

/// Clients of `a.test` are bound by the cookie `sid`.
fn affinity() -> Arc<Affinity> {
    let cookie = AffinityCookie {
        name: "sid".into(),
        expires: None,
        max_age: None,
        domain: None,
        path: None,
        secure: false,
        same_site: None,
        conditional_same_site: false,
        change_on_failure: false,
    };
    let places = BTreeMap::from([("a.test".to_owned(), vec!["/".to_owned()])]);
    Arc::new(Affinity { mode: AffinityMode::Persistent, cookie, places })
}

/// The cookie in the head of an answer.
fn cookie(head: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_lowercase().starts_with("set-cookie: sid="))?;
    Some(line["set-cookie: ".len()..].split(';').next()?.to_owned())
}

fn bound(addresses: &[SocketAddr]) -> Snapshot {
    let bind = |upstream: &mut headgate_config::Upstream| upstream.affinity = Some(affinity());
    Table::default().balanced("app", addresses, bind).prefix("a.test", "/", "app").build()
}

fn get(cookie: &str, header: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a.test\r\nCookie: {cookie}\r\n{header}\r\n")
}

#[test]
fn a_client_comes_back_to_its_endpoint_and_is_told_of_it_once() {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    let gateway = TestGateway::start(bound(&[one.address, two.address]));
    let mut client = gateway.client();
    let mut seen = BTreeMap::new();
    while seen.len() < 2 {
        let first = client.get("/");
        let cookie = cookie(&first.head).expect("a cookie for a new client");
        seen.insert(first.text().to_owned(), cookie);
    }
    for (text, sid) in &seen {
        for _ in 0..4 {
            client.send(get(sid, ""));
            let answer = client.answer();
            assert_eq!((answer.text(), cookie(&answer.head)), (text.as_str(), None));
        }
    }
}

#[test]
fn whoever_changes_the_protocol_is_bound_as_well() {
    let upstream = Upstream::raw(|mut connection: Client| {
        read_request(&mut connection);
        connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        while connection.line().is_some() {}
    });
    let gateway = TestGateway::start(bound(&[upstream.address]));
    let mut client = gateway.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let head = client.head().expect("a head");
    assert!(head.starts_with("HTTP/1.1 101") && cookie(&head).is_some(), "{head}");
}

#[test]
fn a_new_policy_acts_on_the_next_request_and_leaves_the_table_alone() {
    let upstream = Upstream::echo("ok");
    let before =
        Table::default().upstream("app", &[upstream.address]).prefix("a.test", "/", "app").build();
    let gateway = TestGateway::start(before.clone());
    let mut client = gateway.client();
    assert_eq!(cookie(&client.get("/").head), None);
    let hosts = Arc::clone(&gateway.live.load().hosts);
    let upstreams = bound(&[upstream.address]).upstreams;
    gateway.live.publish(Snapshot { upstreams, ..before.clone() });
    assert!(cookie(&client.get("/").head).is_some());
    assert!(Arc::ptr_eq(&hosts, &gateway.live.load().hosts));
    gateway.live.publish(before);
    assert_eq!(cookie(&client.get("/").head), None);
}

#[test]
fn no_cookie_leads_to_an_endpoint_that_did_not_answer() {
    let good = Upstream::echo("good");
    let gateway = TestGateway::start(bound(&[Upstream::refusing(), good.address]));
    let mut cookies = Vec::new();
    for _ in 0..20 {
        let answer = gateway.get("/");
        assert_eq!(answer.text(), "good");
        let lines = answer.head.to_lowercase().matches("set-cookie").count();
        assert_eq!(lines, 1, "one cookie, that of the endpoint that answered");
        cookies.extend(cookie(&answer.head));
    }
    assert!(cookies.len() == 20 && cookies.iter().all(|cookie| *cookie == cookies[0]));
    let gateway = TestGateway::start(bound(&[Upstream::refusing()]));
    let answer = gateway.get("/");
    assert_eq!((answer.status, cookie(&answer.head)), (502, None));
}

/// Counts requests and closes without an answer.
fn counting(count: &Arc<AtomicUsize>) -> Upstream {
    let count = Arc::clone(count);
    Upstream::raw(move |mut connection: Client| {
        if read_request(&mut connection).is_some() {
            count.fetch_add(1, Relaxed);
        }
    })
}

#[test]
fn a_hashed_request_is_tried_again_where_it_was_and_others_are_tried_elsewhere() {
    let tries = |balance: Balance| {
        let counts: [Arc<AtomicUsize>; 3] = Default::default();
        let upstreams = counts.each_ref().map(counting);
        let addresses = upstreams.each_ref().map(|upstream| upstream.address);
        let spread = |upstream: &mut headgate_config::Upstream| upstream.balance = balance;
        let table = Table::default().balanced("app", &addresses, spread);
        let gateway = TestGateway::start(table.prefix("a.test", "/", "app").build());
        assert_eq!(gateway.get("/").status, 502);
        let mut counts = counts.map(|count| count.load(Relaxed));
        counts.sort_unstable();
        counts
    };
    let hash = |subset| Balance::Hash(Arc::new(HashBy { key: "$request_uri".into(), subset }));
    assert_eq!(tries(hash(None)), [0, 0, 3]);
    assert_eq!(tries(Balance::Ewma), [1, 1, 1]);
    assert_eq!(tries(Balance::RoundRobin), [1, 1, 1]);
    assert_eq!(tries(hash(NonZeroU32::new(1))), [0, 0, 3]);
}

#[test]
fn a_canary_answers_beside_its_primary_and_both_are_named() {
    let (main, next) = (Upstream::echo("main"), Upstream::echo("next"));
    let rules = CanaryRules {
        header: Some(CanaryHeader { name: "x-canary".into(), value: CanaryValue::Words }),
        ..CanaryRules::default()
    };
    let canary = |upstream: &mut headgate_config::Upstream| {
        let upstream_id = snapshot::id("next");
        upstream.canary = Some(Arc::new(Canary { upstream: upstream_id, rules: rules.into() }));
    };
    let table = Table::default()
        .balanced("app", &[main.address], canary)
        .upstream("next", &[next.address])
        .prefix("a.test", "/", "app")
        .log_format("$proxy_upstream_name $proxy_alternative_upstream_name.");
    let gateway = TestGateway::start(table.build());
    let mut client = gateway.client();
    for (header, text) in [("X-Canary: always\r\n", "next"), ("X-Canary: never\r\n", "main")] {
        client.send(get("a=b", header));
        assert_eq!(client.answer().text(), text);
    }
    assert_eq!(gateway.logged(0), "default-app-80 default-next-80.");
    assert_eq!(gateway.logged(1), "default-app-80 .");
    eventually("both are counted", || {
        let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
        let text = String::from_utf8_lossy(&text);
        let counted = |canary: &str| {
            text.lines().any(|line| {
                line.contains("_requests{") && line.contains(&format!("canary=\"{canary}\""))
            })
        };
        counted("default-next-80") && counted("")
    });
}

#[test]
fn a_canarys_share_has_to_pass_what_its_primary_asks() {
    let (main, next) = (Upstream::echo("main"), Upstream::echo("next"));
    let rules = Arc::new(CanaryRules { weight: 100, ..CanaryRules::default() });
    let canary = |upstream: &mut headgate_config::Upstream| {
        upstream.canary = Some(Arc::new(Canary { upstream: snapshot::id("next"), rules }));
    };
    let deny = vec!["127.0.0.0/8".parse().unwrap()];
    let access = Some(Arc::new(AccessLists { deny, ..AccessLists::default() }));
    let protection = Arc::new(Protection { access, ..Protection::default() });
    let closed = snapshot::root("app", |location| location.protection = Some(protection));
    let table =
        Table::default().balanced("app", &[main.address], canary).upstream("next", &[next.address]);
    let table = table.location("a.test", closed).prefix("a.test", "/open", "app");
    let gateway = TestGateway::start(table.build());
    assert_eq!(gateway.get("/").status, 403);
    assert_eq!((main.seen().len(), next.seen().len()), (0, 0));
    assert_eq!(gateway.get("/open").text(), "next");
}

#[test]
fn a_canary_without_endpoints_leaves_everything_to_its_primary_and_not_the_other_way_round() {
    let upstream = Upstream::echo("ok");
    let status = |main: &[SocketAddr], next: &[SocketAddr]| {
        let rules = Arc::new(CanaryRules { weight: 100, ..CanaryRules::default() });
        let canary = |upstream: &mut headgate_config::Upstream| {
            upstream.canary = Some(Arc::new(Canary { upstream: snapshot::id("next"), rules }));
        };
        let table = Table::default().balanced("app", main, canary).upstream("next", next);
        TestGateway::start(table.prefix("a.test", "/", "app").build()).get("/").status
    };
    assert_eq!(status(&[upstream.address], &[]), 200);
    assert_eq!(status(&[], &[upstream.address]), 503);
}

#[test]
fn an_endpoint_that_answers_slowly_is_avoided() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let slow = Upstream::scripted(move |_, _| {
        count.fetch_add(1, Relaxed);
        std::thread::sleep(Duration::from_millis(300));
        Reply::Bytes(ok("slow"))
    });
    let fast = Upstream::echo("fast");
    let timed = |upstream: &mut headgate_config::Upstream| upstream.balance = Balance::Ewma;
    let table = Table::default().balanced("app", &[slow.address, fast.address], timed);
    let gateway = TestGateway::start(table.prefix("a.test", "/", "app").build());
    // Who is not known yet is asked before those that are.
    for _ in 0..2 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(asked.load(Relaxed), 1);
    for _ in 0..50 {
        assert_eq!(gateway.get("/").text(), "fast");
    }
}
