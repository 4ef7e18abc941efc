//! A service that is asked over TLS. Its certificate is not verified, as in the reference.

use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::support::{Identity, upstream::Reply};

/// Answers every request of a connection with 200; notes the server names, and the requests.
fn service(names: Arc<Mutex<Vec<Option<String>>>>, last: bool) -> Upstream {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-User: alice\r\n\r\nok";
    Identity::new().upstream(move |name| {
        names.lock().push(name.map(str::to_owned));
        if last { Reply::Last(answer.to_vec()) } else { Reply::Bytes(answer.to_vec()) }
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
