//! Changes of the configuration while requests are served.

use crate::support::{Client, Table, TestGateway, Upstream, eventually, upstream::read_request};

fn table(upstream: &Upstream) -> headgate_config::Snapshot {
    Table::default().upstream("app", &[upstream.address]).prefix("a.test", "/", "app").build()
}

#[test]
fn a_new_table_acts_on_the_next_request_of_an_open_connection() {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    let gateway = TestGateway::start(table(&one));
    let mut client = gateway.client();
    assert_eq!(client.get("/").text(), "one");
    gateway.live.publish(table(&two));
    assert_eq!(client.get("/").text(), "two");
}

#[test]
fn a_request_in_flight_is_not_disturbed() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = parking_lot::Mutex::new(wait);
    let slow = Upstream::raw(move |mut connection: Client| {
        read_request(&mut connection);
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha");
        let _ = wait.lock().recv();
        connection.send("lf");
    });
    let other = Upstream::echo("other");
    let gateway = TestGateway::start(table(&slow));
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.head();
    assert_eq!(client.exactly(2).as_deref(), Some(&b"ha"[..]));
    gateway.live.publish(table(&other));
    eventually("the new table is used", || gateway.get("/").text() == "other");
    release.send(()).expect("the upstream waits");
    assert_eq!(client.exactly(2).as_deref(), Some(&b"lf"[..]));
}

#[test]
fn an_endpoint_change_leaves_the_compiled_hosts_alone() {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    let first = table(&one);
    let gateway = TestGateway::start(first.clone());
    let before = gateway.live.load();
    let mut second = first;
    second.upstreams = table(&two).upstreams;
    gateway.live.publish(second);
    let after = gateway.live.load();
    let (old, new) = (before.hosts.find(b"a.test"), after.hosts.find(b"a.test"));
    assert!(std::sync::Arc::ptr_eq(old.expect("known"), new.expect("known")));
    assert_eq!(gateway.get("/").text(), "two");
}

#[test]
fn a_path_that_is_no_pattern_is_denied_and_not_served_by_a_broader_one() {
    use headgate_config::PathMatch;

    use crate::support::snapshot::location;

    let upstream = Upstream::echo("served");
    let mut table = Table::default()
        .upstream("app", &[upstream.address])
        .location("a.test", location(PathMatch::Pattern("/admin/(?<n".into()), "app"))
        .location("a.test", location(PathMatch::Pattern("/".into()), "app"))
        .build();
    for host in std::sync::Arc::make_mut(&mut table.hosts) {
        std::sync::Arc::make_mut(host).mode = if host.name == "_" {
            headgate_config::PathMode::Literal
        } else {
            headgate_config::PathMode::Pattern
        };
    }
    let gateway = TestGateway::start(table);
    assert_eq!(gateway.get("/admin/x").status, 503);
    assert_eq!(gateway.get("/ADMIN/x").status, 503);
    assert_eq!(gateway.get("/other").text(), "served");
}
