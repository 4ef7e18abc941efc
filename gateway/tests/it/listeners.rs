//! At which addresses of this machine clients are served (`bind-address`, `disable-ipv6`).

use std::{
    net::{IpAddr, Ipv4Addr, TcpStream},
    sync::mpsc::{Sender, channel},
};

use headgate_config::{Entrances, Snapshot};

use crate::support::{
    Client, Http2, Table, TestGateway, Upstream, eventually,
    http2::{END_STREAM, GOAWAY},
    upstream::{ok, read_request},
};

/// An upstream that answers nothing before what comes with it is dropped.
fn waiting() -> (Upstream, Sender<()>) {
    let (release, wait) = channel();
    let wait = parking_lot::Mutex::new(wait);
    let upstream = Upstream::raw(move |mut connection: Client| {
        read_request(&mut connection);
        let _ = wait.lock().recv();
        connection.send(ok("ok"));
    });
    (upstream, release)
}

fn served_at(upstream: &Upstream, only: Option<&[IpAddr]>) -> Snapshot {
    let entrances = Entrances { only: only.map(<[IpAddr]>::to_vec), no_ipv6: false };
    let table = Table::default().upstream("app", &[upstream.address]).prefix("a.test", "/", "app");
    table.settings(|settings| settings.entrances = entrances).build()
}

/// Whether a new connection is served.
fn is_served(gateway: &TestGateway) -> bool {
    let Ok(stream) = TcpStream::connect(gateway.http) else { return false };
    let mut client = Client::over(stream);
    client.try_send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n") && client.try_answer().is_some()
}

#[test]
fn an_address_that_is_left_out_serves_nobody_and_one_that_is_listed_does() {
    let upstream = Upstream::echo("ok");
    let here = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let elsewhere = [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9))];
    let gateway = TestGateway::start(served_at(&upstream, Some(&elsewhere)));
    assert!(!is_served(&gateway));
    gateway.live.publish(served_at(&upstream, Some(&here)));
    assert!(is_served(&gateway));
    gateway.live.publish(served_at(&upstream, None));
    assert!(is_served(&gateway));
}

#[test]
fn an_idle_connection_to_an_address_ends_when_that_is_left_out() {
    let upstream = Upstream::echo("ok");
    let gateway = TestGateway::start(served_at(&upstream, None));
    let mut client = gateway.client();
    assert_eq!(client.get("/").status, 200);
    gateway.live.publish(served_at(&upstream, Some(&[])));
    assert!(client.try_answer().is_none(), "the connection ends");
    assert!(!is_served(&gateway));
}

#[test]
fn a_connection_to_an_address_that_stays_goes_on() {
    let upstream = Upstream::echo("ok");
    let gateway = TestGateway::start(served_at(&upstream, None));
    let mut client = gateway.client();
    assert_eq!(client.get("/").status, 200);
    gateway.live.publish(served_at(&upstream, Some(&[Ipv4Addr::UNSPECIFIED.into()])));
    eventually("the new settings hold", || is_served(&gateway));
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_busy_connection_to_an_address_that_is_left_out_ends_with_its_next_answer() {
    let (upstream, release) = waiting();
    let gateway = TestGateway::start(served_at(&upstream, None));
    let mut client = gateway.client();
    client.send("GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    eventually("it is under way", || upstream.connections() == 1);
    client.send("GET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    gateway.live.publish(served_at(&upstream, Some(&[])));
    drop(release);
    assert_eq!(client.answer().header("connection"), Some("keep-alive"));
    assert_eq!(client.answer().header("connection"), Some("close"));
}

#[test]
fn over_http2_it_takes_no_more_requests() {
    let (upstream, release) = waiting();
    let gateway = TestGateway::start(served_at(&upstream, None));
    let mut client = Http2::connect(gateway.http, 65_535);
    client.request(1, "GET", "/1", END_STREAM);
    eventually("it is under way", || upstream.connections() == 1);
    gateway.live.publish(served_at(&upstream, Some(&[])));
    client.request(3, "GET", "/2", END_STREAM);
    eventually("so is the next one", || upstream.connections() == 2);
    drop(release);
    assert!(client.until(|frame| frame.kind == GOAWAY).is_some());
}
