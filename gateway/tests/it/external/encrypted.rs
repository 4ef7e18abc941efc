//! A service that is asked over TLS. Its certificate is not verified, as in the reference.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use parking_lot::Mutex;
use rustls::{ServerConnection, StreamOwned};

use super::*;
use crate::support::Identity;

/// Answers every request of a connection with 200; notes the server names, and the requests.
fn service(names: Arc<Mutex<Vec<Option<String>>>>, last: bool) -> Upstream {
    let config = Identity::new().server();
    Upstream::raw(move |client| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a server");
        let mut stream = StreamOwned::new(connection, client.stream);
        let mut head = Vec::new();
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() {
            head.push(byte[0]);
            if head.ends_with(b"\r\n\r\n") {
                head.clear();
                names.lock().push(stream.conn.server_name().map(str::to_owned));
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-User: alice\r\n\r\nok";
                stream.write_all(answer).expect("sent");
                if last {
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                    return;
                }
            }
        }
    })
}

#[test]
fn it_is_asked_by_its_name_and_its_connection_is_used_again() {
    let names = Arc::new(Mutex::new(Vec::new()));
    let (app, service) = (Upstream::echo("app"), service(Arc::clone(&names), false));
    let port = service.address.port();
    let gateway = Guarded::by(&app, service.address)
        .with(|spec| spec.url = format!("https://localhost:{port}/check"))
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(*names.lock(), vec![Some("localhost".to_owned()); 3]);
    assert_eq!(service.connections(), 1);
    assert_eq!(app.seen()[2].header("x-user"), Some("alice"));
}

#[test]
fn a_farewell_of_the_service_is_noticed() {
    let names = Arc::default();
    let (app, service) = (Upstream::echo("app"), service(Arc::clone(&names), true));
    let gateway = Guarded::by(&app, service.address)
        .with(|spec| spec.url = format!("https://{}/check", service.address))
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(*names.lock(), vec![None; 3], "an address is no name");
}

#[test]
fn what_does_not_speak_tls_lets_nothing_pass() {
    let app = Upstream::echo("app");
    let deaf = Upstream::raw(|mut client| client.send("HTTP/1.1 200 OK\r\n\r\n"));
    let gateway = Guarded::by(&app, deaf.address)
        .with(|spec| spec.url = format!("https://{}/check", deaf.address))
        .start();
    assert_eq!((gateway.get("/").status, counted(&gateway, "unreachable")), (500, 1));
    assert_eq!(app.connections(), 0);
}
