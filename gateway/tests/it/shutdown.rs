//! Stopping.

use std::thread;

use crate::support::{Client, TestGateway, Upstream, eventually, upstream::read_request};

#[test]
fn open_requests_end_and_idle_connections_are_closed() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = parking_lot::Mutex::new(wait);
    let slow = Upstream::raw(move |mut connection: Client| {
        read_request(&mut connection);
        let _ = wait.lock().recv();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    });
    let gateway = TestGateway::before(&[&slow]);
    let address = gateway.http;
    let mut busy = gateway.client();
    busy.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    eventually("the request arrives", || slow.connections() == 1);
    let mut idle = gateway.client();
    idle.send("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert_eq!(idle.answer().status, 404);

    let stopping = thread::spawn(move || gateway.stop());
    assert!(idle.is_closed());
    eventually("no new connections", || std::net::TcpStream::connect(address).is_err());
    release.send(()).expect("the upstream waits");
    let answer = busy.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("done", Some("close")));
    stopping.join().expect("stopped");
}
