//! A service that is not there, does not answer, or answers what nobody understands: nothing passes.

use super::*;
use crate::support::eventually;

fn broken(service: Upstream) -> (u16, TestGateway) {
    let app = Upstream::echo("app");
    let gateway = Guarded::by(&app, service.address).start();
    let answer = gateway.get("/");
    assert_eq!(app.connections(), 0);
    (answer.status, gateway)
}

#[test]
fn what_is_no_answer_lets_nothing_pass() {
    for bytes in [
        "",
        "\0\x01\x02 200 OK \r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-User: al",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "200 OK",
    ] {
        let service = Upstream::scripted(move |_, _| Reply::Last(bytes.into()));
        let (status, gateway) = broken(service);
        assert_eq!((status, counted(&gateway, "broken")), (500, 1), "{bytes:?}");
    }
    let tunnel = "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let (status, gateway) = broken(Upstream::scripted(move |_, _| Reply::Last(tunnel.into())));
    assert_eq!((status, counted(&gateway, "unexpected_status")), (500, 1));
}

#[test]
fn a_head_that_is_too_large_lets_nothing_pass() {
    let service = Upstream::scripted(|_, _| {
        Reply::Bytes(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024)).into())
    });
    assert_eq!(broken(service).0, 500);
}

#[test]
fn a_service_that_does_not_listen_lets_nothing_pass_and_is_asked_again_when_it_does() {
    let app = Upstream::echo("app");
    let gateway = Guarded::by(&app, Upstream::refusing()).start();
    assert_eq!(gateway.get("/").status, 500);
    let posted = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nAAAA";
    assert_eq!(raw(&gateway, posted).answer().status, 500);
    assert_eq!((counted(&gateway, "unreachable"), app.connections()), (2, 0));
    let service = service(200, "");
    gateway.live.publish(Guarded::by(&app, service.address).table());
    eventually("the new service is asked", || gateway.get("/").status == 200);
}

#[test]
fn a_connection_that_died_while_idle_is_no_reason_to_refuse() {
    let app = Upstream::echo("app");
    // Says that it keeps the connection, and does not.
    let service = Upstream::scripted(|_, _| {
        Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let gateway = Guarded::by(&app, service.address).start();
    for _ in 0..20 {
        assert_eq!(gateway.get("/").status, 200);
    }
}

#[test]
fn a_name_without_an_address_lets_nothing_pass() {
    let app = Upstream::echo("app");
    let unknown = Guarded::by(&app, app.address)
        .with(|spec| spec.url = "http://nowhere.invalid/".into())
        .start();
    assert_eq!((unknown.get("/").status, counted(&unknown, "unreachable")), (500, 1));
}

#[test]
fn a_request_that_leads_out_of_the_url_is_not_asked_about() {
    let (app, service) = (Upstream::echo("app"), service(200, ""));
    let port = service.address.port();
    let gateway = Guarded::by(&app, service.address)
        .with(|spec| spec.url = format!("http://$http_x_team:{port}/check?u=$request_uri"))
        .start();
    for team in
        ["127.0.0.1:1/", "x@127.0.0.1", "127.0.0.1/a", "127.0.0.1?", "127.0.0.1#", "a b", ""]
    {
        assert_eq!(get(&gateway, "/", &format!("X-Team: {team}\r\n")).status, 500, "{team}");
    }
    assert_eq!((counted(&gateway, "bad_request"), service.connections()), (7, 0));
    assert_eq!(get(&gateway, "/a?b=c", "X-Team: 127.0.0.1\r\n").status, 200);
    assert_eq!(service.seen()[0].line(), "GET /check?u=/a?b=c HTTP/1.1");
}

#[test]
fn nothing_is_forwarded_for_a_client_that_has_gone() {
    let app = Upstream::echo("app");
    let (told, asked) = std::sync::mpsc::channel();
    let (told, ended) = (parking_lot::Mutex::new(told), std::sync::mpsc::channel());
    let over = parking_lot::Mutex::new(ended.0);
    let service = Upstream::raw(move |mut client| {
        client.head();
        told.lock().send(()).expect("somebody waits");
        // The gateway hangs up, because its client has.
        let is_closed = client.is_closed();
        over.lock().send(is_closed).expect("somebody waits");
    });
    let gateway = Guarded::by(&app, service.address).start();
    let client = raw(&gateway, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    asked.recv().expect("the service is asked");
    drop(client);
    assert!(ended.1.recv().expect("the question ends"), "its connection is closed");
    assert_eq!(app.connections(), 0);
}

#[test]
fn a_silent_service_lets_nothing_pass_meanwhile_and_holds_up_nobody_else() {
    let app = Upstream::echo("app");
    let silent = Upstream::raw(|mut client| {
        client.head();
        client.exactly(1);
    });
    let guarded = Guarded::by(&app, silent.address);
    let table = snapshot::Table::default().upstream("app", &[app.address]);
    let table = table.location("a.test", guarded.location("/closed/")).prefix("a.test", "/", "app");
    let gateway = TestGateway::start(table.build());
    let waiting = raw(&gateway, "GET /closed/x HTTP/1.1\r\nHost: a.test\r\n\r\n");
    eventually("the service is asked", || silent.connections() == 1);
    assert_eq!(gateway.get("/open").status, 200);
    assert_eq!(app.seen().len(), 1);
    drop(waiting);
}

#[test]
fn a_service_that_cannot_be_asked_as_configured_lets_nothing_pass() {
    let app = Upstream::echo("app");
    for url in ["", "ftp://x/", "http://a..b/"] {
        let gateway = Guarded::by(&app, app.address).with(|spec| spec.url = url.into()).start();
        assert_eq!(gateway.get("/").status, 503, "{url}");
    }
    assert_eq!(app.connections(), 0);
}

#[test]
fn a_service_behind_the_location_that_asks_it_ends_with_a_refusal() {
    let app = Upstream::echo("app");
    let gateway = Guarded::by(&app, app.address).start();
    let own = Guarded::by(&app, app.address)
        .with(|spec| spec.url = format!("http://$http_x_gateway:{}/check", gateway.http.port()));
    // Its own name in the table, so that it finds itself.
    let table = snapshot::Table::default()
        .upstream("app", &[app.address])
        .location("a.test", own.location("/"))
        .location("127.0.0.1", own.location("/"));
    gateway.live.publish(table.build());
    eventually("the new table is used", || {
        get(&gateway, "/", "X-Gateway: 127.0.0.1\r\n").status == 500
    });
    let before = counted(&gateway, "unexpected_status");
    assert_eq!(get(&gateway, "/", "X-Gateway: 127.0.0.1\r\n").status, 500);
    assert_eq!(counted(&gateway, "unexpected_status") - before, 3, "questions in a row");
}
