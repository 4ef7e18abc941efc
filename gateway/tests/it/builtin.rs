//! What is answered without an upstream, and what comes before it.

use headgate_config::{Action, ForwardedHeaders, HttpsRedirect, PathMatch};

use crate::support::{Identity, Table, TestGateway, snapshot};

#[test]
fn a_location_that_answers_itself_is_redirected_to_https_first() {
    let identity = Identity::new();
    let mut root = snapshot::location(PathMatch::Prefix("/".into()), "");
    root.action = Action::Respond(404);
    root.https_redirect = HttpsRedirect::IfCertificate;
    let mut table = Table::default().location("a.test", root).build();
    table.tls = identity.table_for("a.test");
    let gateway = TestGateway::start(table);
    let answer = gateway.get("/other");
    assert_eq!((answer.status, answer.header("location")), (308, Some("https://a.test/other")));
    assert_eq!(identity.connect(gateway.https, "http/1.1").get("/other").status, 404);
}

#[test]
fn only_clients_on_this_machine_are_told_about_connections() {
    let mut status = snapshot::location(PathMatch::Prefix("/nginx_status".into()), "");
    status.action = Action::ConnectionStatus;
    let rules = ForwardedHeaders {
        trusted: true,
        peers: vec!["127.0.0.0/8".parse().expect("a network")],
        ..ForwardedHeaders::default()
    };
    let table = Table::default().location("a.test", status).forwarded(rules).log_format("$status");
    let gateway = TestGateway::start(table.build());
    let mut client = gateway.client();
    let text = client.get("/nginx_status").text().to_owned();
    let expected = "Active connections: 1 \nserver accepts handled requests\n 1 1 1 \n\
                    Reading: 0 Writing: 1 Waiting: 0 \n";
    assert_eq!(text, expected);
    client.send("GET /nginx_status HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
    assert_eq!(client.answer().status, 403);
    assert_eq!(client.get("/other").status, 404);
    assert_eq!(gateway.logged(0), "404", "it is not logged");
}

#[test]
fn those_who_may_read_about_connections_can_be_others() {
    let mut status = snapshot::location(PathMatch::Prefix("/nginx_status".into()), "");
    status.action = Action::ConnectionStatus;
    let readers = |text: &str| {
        let readers = vec![text.parse().expect("a network")];
        let table = Table::default().location("a.test", status.clone());
        TestGateway::start(table.settings(|settings| settings.status_readers = readers).build())
    };
    assert_eq!(readers("192.0.2.0/24").get("/nginx_status").status, 403);
    assert_eq!(readers("127.0.0.0/8").get("/nginx_status").status, 200);
}
