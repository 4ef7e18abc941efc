//! Where keys come from, and what is when they do not.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use super::*;

fn fetches(gateway: &TestGateway, result: &str) -> u64 {
    counted(gateway, "headgate_jwt_key_fetches_total", result)
}

#[test]
fn new_keys_are_found_when_a_token_names_one_and_old_ones_are_forgotten() {
    let (app, old, new) = (Upstream::echo("app"), Signer::p256(), Signer::ed25519());
    let issuer = Issuer::publishing(&[old.jwk("old")]);
    let gateway = Guarded::by(&app, &issuer.url()).start();
    let [by_old, by_new] =
        [old.issue("old", &claims(json!({}))), new.issue("new", &claims(json!({})))];
    assert_eq!(bring(&gateway, &by_old).status, 200);
    assert_eq!(bring(&gateway, &by_new).status, 401, "nobody knows it");
    issuer.publish(&[new.jwk("new")]);
    eventually("the keys are fetched again", || bring(&gateway, &by_new).status == 200);
    assert_eq!(bring(&gateway, &by_old).status, 401, "remembered, but its key is gone");
    assert_eq!((issuer.server.seen().len(), fetches(&gateway, "fetched")), (2, 2));
}

#[test]
fn without_keys_nothing_passes_and_it_recovers_by_itself() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::answering(Vec::new());
    let gateway = Guarded::by(&app, &issuer.url()).start();
    let token = signer.issue("1", &claims(json!({})));
    eventually("it was tried", || fetches(&gateway, "failed") > 0);
    let began = Instant::now();
    let answer = bring(&gateway, &token);
    assert_eq!((answer.status, answer.header("www-authenticate")), (503, None));
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(get(&gateway, "").status, 401, "without a token nobody needs keys");
    issuer.publish(&[signer.jwk("1")]);
    eventually("keys are there", || bring(&gateway, &token).status == 200);
    *issuer.answer.lock() = Vec::new();
    assert_eq!(bring(&gateway, &token).status, 200, "they are kept");
    assert!(counted(&gateway, "headgate_jwt_requests_total", "keys_unavailable") > 0);
}

#[test]
fn what_is_no_set_of_keys_lets_nothing_pass() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let elsewhere = Issuer::publishing(&[signer.jwk("1")]);
    let good = set(&[signer.jwk("1")]);
    let found = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: {}\r\n\r\n{good}",
        elsewhere.url(),
        good.len()
    );
    let many = vec![signer.jwk("1"); 101];
    let large = json!({ "keys": [signer.jwk("1")], "x": "x".repeat(256 * 1024) }).to_string();
    for bytes in [
        found.into_bytes(),
        format!("HTTP/1.1 500 X\r\nContent-Length: {}\r\n\r\n{good}", good.len()).into_bytes(),
        format!("HTTP/1.1 404 X\r\nContent-Length: {}\r\n\r\n{good}", good.len()).into_bytes(),
        format!("HTTP/1.1 203 X\r\nContent-Length: {}\r\n\r\n{good}", good.len()).into_bytes(),
        format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n{good}", good.len() + 1).into_bytes(),
        format!("HTTP/9.9 200 X\r\nContent-Length: {}\r\n\r\n{good}", good.len()).into_bytes(),
        good.clone().into_bytes(),
        ok(""),
        ok("<html>"),
        ok("[]"),
        ok(&good[..good.len() - 2]),
        ok(&set(&many)),
        ok(&large),
    ] {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let issuer = Issuer::answering(bytes);
        let gateway = Guarded::by(&app, &issuer.url()).start();
        let token = signer.issue("1", &claims(json!({})));
        assert_eq!(bring(&gateway, &token).status, 503, "{text:.60}");
        assert_eq!(fetches(&gateway, "fetched"), 0, "{text:.60}");
    }
    assert_eq!((elsewhere.server.connections(), app.connections()), (0, 0));
    let empty = Issuer::publishing(&[]);
    let gateway = Guarded::by(&app, &empty.url()).start();
    assert_eq!(bring(&gateway, &signer.issue("1", &claims(json!({})))).status, 401);
}

#[test]
fn an_issuer_that_cannot_be_found_lets_nothing_pass() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let token = signer.issue("1", &claims(json!({})));
    for url in [
        format!("http://{}/", Upstream::refusing()),
        "http://nowhere.invalid/keys".into(),
        "ftp://127.0.0.1/".into(),
        String::new(),
    ] {
        let gateway = Guarded::by(&app, &url).start();
        assert_eq!(bring(&gateway, &token).status, 503, "{url}");
    }
    assert_eq!(app.connections(), 0);
}

#[test]
fn a_silent_issuer_holds_up_nobody_for_long() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let (told, asked) = mpsc::channel();
    let told = Mutex::new(told);
    let silent = Upstream::raw(move |mut client| {
        client.head();
        let _ = told.lock().send(());
        client.exactly(1);
    });
    let guarded = Guarded::by(&app, &format!("http://{}/", silent.address));
    let table = snapshot::Table::default().upstream("app", &[app.address]);
    let table = table.location("a.test", guarded.location("/")).prefix("b.test", "/", "app");
    let gateway = TestGateway::start(table.build());
    asked.recv().expect("it is asked");
    let began = Instant::now();
    let mut waiting = gateway.client();
    let token = signer.issue("1", &claims(json!({})));
    waiting
        .send(format!("GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer {token}\r\n\r\n"));
    let mut other = gateway.client();
    other.send("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n");
    assert_eq!(other.answer().status, 200);
    assert_eq!(waiting.answer().status, 503);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(app.seen().len(), 1);
}

#[test]
fn keys_and_verified_tokens_outlive_tables() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let guarded = Guarded::by(&app, &issuer.url());
    let gateway = guarded.start();
    let token = signer.issue("1", &claims(json!({})));
    assert_eq!(bring(&gateway, &token).status, 200);
    let table = snapshot::Table::default().upstream("app", &[app.address]);
    let table = table.location("a.test", guarded.location("/"));
    gateway.live.publish(table.location("b.test", guarded.location("/x/")).build());
    let mut client = gateway.client();
    client
        .send(format!("GET /x/ HTTP/1.1\r\nHost: b.test\r\nAuthorization: Bearer {token}\r\n\r\n"));
    assert_eq!(client.answer().status, 200, "the new table");
    assert_eq!(bring(&gateway, &token).status, 200);
    assert_eq!(issuer.server.seen().len(), 1);
    assert_eq!(counted(&gateway, "headgate_jwt_requests_total", "passed"), 1);
    // Somebody else's tokens mean nothing there.
    let strict = Guarded::with(&app, &issuer.url(), |spec| spec.audiences = vec!["admin".into()]);
    gateway.live.publish(strict.table());
    eventually("the new table is used", || bring(&gateway, &token).status == 401);
    assert_eq!(issuer.server.seen().len(), 1);
}

#[test]
fn an_issuer_may_be_an_upstream_of_the_table() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let guarded = Guarded::with(&app, "http://dex.auth.svc:5556/keys", |spec| {
        spec.keys.upstream = Some(snapshot::id("dex"));
    });
    let table = |upstream| {
        let table = snapshot::Table::default().upstream("app", &[app.address]);
        table.upstream(upstream, &[issuer.server.address]).location("a.test", guarded.location("/"))
    };
    let token = signer.issue("1", &claims(json!({})));
    let missing = TestGateway::start(table("other").build());
    assert_eq!(bring(&missing, &token).status, 503, "the table lacks it");
    let gateway = TestGateway::start(table("dex").build());
    assert_eq!(bring(&gateway, &token).status, 200);
    assert_eq!(issuer.server.seen()[0].header("host"), Some("dex.auth.svc:5556"));
}

/// The values of a family by the URLs that they are about.
fn by_url(gateway: &TestGateway, family: &str) -> Vec<(String, u64)> {
    let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
    let text = String::from_utf8(text).expect("a text");
    let sample = |line: &str| {
        let (_, rest) = line.split_once("url=\"")?;
        let (url, _) = rest.split_once('"')?;
        Some((url.to_owned(), line.rsplit(' ').next()?.parse().ok()?))
    };
    let own = text.lines().filter(|line| line.starts_with(&format!("{family}{{")));
    own.filter_map(sample).collect()
}

#[test]
fn each_place_of_keys_says_whether_it_is_in_order_without_its_secrets() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let (good, bad) = (Issuer::publishing(&[signer.jwk("1")]), Issuer::answering(Vec::new()));
    let table = snapshot::Table::default().upstream("app", &[app.address]);
    let locations = |issuer: &Issuer, path: &str| {
        let url = issuer.url().replace("of=shop", "client_secret=hush");
        Guarded::by(&app, &url).location(path)
    };
    let table = table
        .location("a.test", locations(&good, "/"))
        .location("a.test", locations(&bad, "/x/"))
        // The same place for all that is shown of it.
        .location("a.test", Guarded::by(&app, &good.url()).location("/y/"));
    let gateway = TestGateway::start(table.build());
    let shown = |issuer: &Issuer, value| (format!("http://{}/keys", issuer.server.address), value);
    let expect = |family: &str, what: &str, values: [u64; 2]| {
        let mut expected = [shown(&good, values[0]), shown(&bad, values[1])];
        expected.sort();
        eventually(what, || by_url(&gateway, family) == expected);
    };
    expect("headgate_jwt_keys_up", "one of both is in order", [1, 0]);
    expect("headgate_jwt_keys", "and has a key", [1, 0]);
    bad.publish(&[signer.jwk("1"), signer.jwk("2")]);
    expect("headgate_jwt_keys_up", "it recovers", [1, 1]);
    expect("headgate_jwt_keys", "with its keys", [1, 2]);
    gateway.live.publish(snapshot::Table::default().build());
    eventually("what nobody uses is not shown", || {
        gateway.live.collect();
        by_url(&gateway, "headgate_jwt_keys_up").is_empty()
    });
}

#[test]
fn what_is_wrong_with_tokens_is_counted() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let gateway = Guarded::by(&app, &issuer.url()).start();
    let flaws = |reason: &str| {
        let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
        let text = String::from_utf8(text).expect("a text");
        let label = format!("reason=\"{reason}\"");
        let own = text.lines().filter(|line| line.starts_with("headgate_jwt_refusals_total{"));
        let line = own.into_iter().find(|line| line.contains(&label)).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
    };
    let late = signer.issue("1", &claims(json!({ "exp": now() - 61 })));
    assert_eq!([bring(&gateway, &late).status, bring(&gateway, "a.b").status], [401, 401]);
    assert_eq!(
        (flaws("expired"), flaws("malformed"), flaws("signature")),
        (Some(1), Some(1), Some(0))
    );
}

#[test]
fn an_object_that_needs_keys_is_told_as_long_as_they_cannot_be_fetched() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::answering(Vec::new());
    let url = issuer.url().replace("of=shop", "client_secret=hush");
    let gateway = Guarded::by(&app, &url).start();
    eventually("it was tried", || !gateway.live.conditions().is_empty());
    let conditions = gateway.live.conditions();
    let shown = gateway.live.shown().expect("it is live");
    assert_eq!(*shown.verdicts, conditions, "/api/routes has it");
    let [verdict] = &conditions[..] else { panic!("{conditions:?}") };
    assert_eq!(verdict.object.to_string(), "Ingress default/test");
    assert_eq!((&*verdict.reason, verdict.effect), ("JwtKeysUnavailable", Effect::Denied));
    let place = format!("http://{}/keys cannot be fetched", issuer.server.address);
    assert!(verdict.message.contains(&place), "{}", verdict.message);
    assert!(!verdict.message.contains("hush"), "{}", verdict.message);
    issuer.publish(&[signer.jwk("1")]);
    eventually("all is well again", || gateway.live.conditions().is_empty());
    assert!(gateway.live.shown().expect("it is live").verdicts.is_empty());
}

#[test]
fn an_issuer_without_usable_keys_is_told_to_those_who_need_them() {
    let app = Upstream::echo("app");
    let empty = Issuer::publishing(&[]);
    let gateway = Guarded::by(&app, &empty.url()).start();
    eventually("they were fetched", || !gateway.live.conditions().is_empty());
    let verdict = gateway.live.conditions().remove(0);
    assert_eq!(verdict.effect, Effect::Warning);
    assert!(verdict.message.contains("there is no key at"), "{}", verdict.message);
}
