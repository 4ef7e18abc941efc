//! When another endpoint is tried, and when not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use headgate_config::{PathMatch, ProxySettings};

use crate::support::{
    Client, Table, TestGateway, Upstream, snapshot,
    upstream::{Reply, ok, read_request},
};

const POST: &str = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody";

fn gateway(addresses: &[std::net::SocketAddr]) -> TestGateway {
    TestGateway::start(
        Table::default().upstream("app", addresses).prefix("a.test", "/", "app").build(),
    )
}

/// Reads a request and closes without an answer.
fn closing(count: Arc<AtomicUsize>) -> Upstream {
    Upstream::raw(move |mut connection: Client| {
        if read_request(&mut connection).is_some() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    })
}

#[test]
fn a_refused_connection_leads_to_the_next_endpoint_for_every_method() {
    let good = Upstream::echo("good");
    let gateway = gateway(&[Upstream::refusing(), good.address]);
    for _ in 0..4 {
        let mut client = gateway.client();
        client.send(POST);
        assert_eq!(client.answer().text(), "good");
    }
    assert!(good.seen().iter().all(|seen| seen.body == b"body"));
}

#[test]
fn a_closed_connection_is_tried_again_only_for_idempotent_methods() {
    let count = Arc::new(AtomicUsize::new(0));
    let bad = closing(Arc::clone(&count));
    let gateway = gateway(&[bad.address]);
    assert_eq!(gateway.get("/").status, 502);
    assert_eq!(count.swap(0, Ordering::Relaxed), 3, "three tries in all");
    let mut client = gateway.client();
    client.send(POST);
    assert_eq!(client.answer().status, 502);
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn nothing_reachable_is_a_bad_gateway() {
    let gateway = gateway(&[Upstream::refusing(), Upstream::refusing()]);
    assert_eq!(gateway.get("/").status, 502);
}

#[test]
fn a_connection_that_died_while_idle_is_replaced_unnoticed() {
    let upstream = Upstream::scripted(|_, _| {
        // A valid answer that promises to stay, and leaves.
        Reply::Last(ok("once"))
    });
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "once");
    }
}

#[test]
fn an_answer_that_is_no_http_is_a_bad_gateway_and_not_tried_again() {
    let upstream = Upstream::scripted(|_, _| Reply::Last(b"SSH-2.0-nonsense\r\n\r\n".to_vec()));
    let gateway = TestGateway::before(&[&upstream]);
    assert_eq!(gateway.get("/").status, 502);
    assert_eq!(upstream.seen().len(), 1);
}

/// Answers the first request of every connection, and closes at the second without a word.
fn closing_at_the_second(seen: Arc<AtomicUsize>) -> Upstream {
    Upstream::raw(move |mut connection: Client| {
        if read_request(&mut connection).is_some() {
            connection.send(ok("first"));
        }
        if read_request(&mut connection).is_some() {
            seen.fetch_add(1, Ordering::Relaxed);
        }
    })
}

#[test]
fn a_reused_connection_that_closes_is_replaced_without_counting_as_a_try() {
    let closed = Arc::new(AtomicUsize::new(0));
    let upstream = closing_at_the_second(Arc::clone(&closed));
    let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    let mut settings = ProxySettings::default();
    settings.retry.tries = 1;
    location.proxy = Arc::new(settings);
    let table = Table::default().upstream("app", &[upstream.address]);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    let mut client = gateway.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "first");
    }
    assert_eq!((upstream.connections(), closed.load(Ordering::Relaxed)), (5, 4));
}

#[test]
fn a_request_that_may_have_been_acted_on_is_not_sent_twice() {
    let closed = Arc::new(AtomicUsize::new(0));
    let upstream = closing_at_the_second(Arc::clone(&closed));
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    assert_eq!(client.get("/").text(), "first");
    client.send(POST);
    assert_eq!(client.answer().status, 502);
    assert_eq!((upstream.connections(), closed.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn unlimited_tries_have_an_end() {
    let mut table =
        crate::support::snapshot::location(headgate_config::PathMatch::Prefix("/".into()), "app");
    let mut settings = headgate_config::ProxySettings::default();
    settings.retry.tries = 0;
    table.proxy = Arc::new(settings);
    let gateway = TestGateway::start(
        Table::default().upstream("app", &[Upstream::refusing()]).location("a.test", table).build(),
    );
    assert_eq!(gateway.get("/").status, 502);
}
