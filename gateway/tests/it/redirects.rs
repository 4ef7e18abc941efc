//! What is redirected to HTTPS before anything else is asked of it.

use headgate_config::{Action, HttpsRedirect, PathMatch};

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
