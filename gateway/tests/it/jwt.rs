//! Locations that ask for a token, and issuers that publish keys.

mod beside_others;
mod encrypted;
#[path = "../../src/filter/jwt/issuer.rs"]
mod issuer;
mod keys;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use headgate_config::{
    Effect, Location, PathMatch, Protection, Snapshot,
    protection::{
        AccessLists, ClaimHeader, KeySource, PasswordAuth, PasswordScheme, SignIn, TokenAlgorithm,
        TokenAuth, Users,
    },
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use self::issuer::{Signer, set, unsigned, with_secret};
use crate::support::{
    TestGateway, Upstream,
    client::Answer,
    eventually, snapshot,
    upstream::{Reply, Seen, ok},
};

/// An issuer whose keys are published at an address, as long as it is in order.
struct Issuer {
    server: Upstream,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Issuer {
    /// Publishes these keys.
    fn publishing(keys: &[Value]) -> Self {
        Self::answering(ok(&set(keys)))
    }

    /// Answers with these bytes; with none it closes.
    fn answering(bytes: Vec<u8>) -> Self {
        let answer = Arc::new(Mutex::new(bytes));
        let script = Arc::clone(&answer);
        let server = Upstream::scripted(move |_, _| Reply::Last(script.lock().clone()));
        Self { server, answer }
    }

    fn publish(&self, keys: &[Value]) {
        *self.answer.lock() = ok(&set(keys));
    }

    fn url(&self) -> String {
        format!("http://{}/keys?of=shop", self.server.address)
    }
}

/// A location `/` of `a.test` that asks for tokens.
struct Guarded {
    app: std::net::SocketAddr,
    protection: Protection,
}

impl Guarded {
    fn by(app: &Upstream, url: &str) -> Self {
        Self::with(app, url, |_| {})
    }

    fn with(app: &Upstream, url: &str, change: impl FnOnce(&mut TokenAuth)) -> Self {
        let mut spec = TokenAuth {
            keys: KeySource { url: url.into(), upstream: None, authorities: Vec::new() },
            issuer: Some("https://i.test".into()),
            audiences: vec!["shop".into()],
            algorithms: TokenAlgorithm::ALL.to_vec(),
            claim_headers: vec![
                ClaimHeader { claim: "sub".into(), header: "X-User".into() },
                ClaimHeader { claim: "realm.roles".into(), header: "X-Roles".into() },
            ],
            clock_skew: Duration::from_secs(60),
        };
        change(&mut spec);
        let protection = Protection { token: Some(Arc::new(spec)), ..Protection::default() };
        Self { app: app.address, protection }
    }

    fn beside(mut self, change: impl FnOnce(&mut Protection)) -> Self {
        change(&mut self.protection);
        self
    }

    fn location(&self, path: &str) -> Location {
        let mut location = snapshot::location(PathMatch::Prefix(path.into()), "app");
        location.protection = Some(Arc::new(self.protection.clone()));
        location
    }

    fn table(&self) -> Snapshot {
        let table = snapshot::Table::default().upstream("app", &[self.app]);
        table.location("a.test", self.location("/")).build()
    }

    fn start(&self) -> TestGateway {
        TestGateway::start(self.table())
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Claims that count, with some changed; null removes one.
fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://i.test", "aud": ["other", "shop"], "sub": "alice", "exp": now() + 300,
        "realm": { "roles": ["a", "b"] },
    });
    let changes = changes.as_object().expect("an object").clone();
    claims.as_object_mut().expect("an object").extend(changes);
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

/// One request with these header lines.
fn get(gateway: &TestGateway, lines: &str) -> Answer {
    let mut client = gateway.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n"));
    client.answer()
}

/// One request with a token.
fn bring(gateway: &TestGateway, token: &str) -> Answer {
    get(gateway, &format!("Authorization: Bearer {token}\r\n"))
}

/// How often something came of asking for a token, by the metrics.
fn counted(gateway: &TestGateway, family: &str, result: &str) -> u64 {
    let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
    let text = String::from_utf8(text).expect("a text");
    let label = format!("result=\"{result}\"");
    let line = text.lines().find(|line| line.starts_with(family) && line.contains(&label));
    let value = line.and_then(|line| line.rsplit(' ').next()).expect("a sample");
    value.parse().expect("a number")
}

fn header_lines<'a>(seen: &'a Seen, name: &str) -> Vec<&'a str> {
    let lines = seen.head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[test]
fn a_token_lets_pass_and_tells_the_upstream_who_it_is() {
    let (app, signer) = (Upstream::echo("app"), Signer::rsa());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let gateway = Guarded::by(&app, &issuer.url()).start();
    let token = signer.issue("1", &claims(json!({})));
    for scheme in ["Bearer", "bearer"] {
        let forged = "X-User: root\r\nx_user: root\r\nX-ROLES: admin\r\nConnection: X-User\r\n";
        let answer = get(&gateway, &format!("{forged}Authorization: {scheme} {token}\r\n"));
        assert_eq!(answer.status, 200, "{scheme}");
        let seen = app.seen().pop().expect("forwarded");
        assert_eq!(header_lines(&seen, "x-user"), ["alice"]);
        assert_eq!(header_lines(&seen, "x_user"), [""; 0]);
        assert_eq!(header_lines(&seen, "x-roles"), ["a,b"]);
        assert_eq!(header_lines(&seen, "authorization"), [format!("{scheme} {token}")]);
    }
    let nameless = signer.issue("1", &claims(json!({ "sub": "a\r\nX-Roles: admin" })));
    let lines = format!("X-User: root\r\nAuthorization: Bearer {nameless}\r\n");
    assert_eq!(get(&gateway, &lines).status, 200);
    let seen = app.seen().pop().expect("forwarded");
    assert_eq!(header_lines(&seen, "x-user"), [""; 0], "what cannot be said is not");
    assert_eq!(header_lines(&seen, "x-roles"), ["a,b"]);
    let outcome = |result| counted(&gateway, "headgate_jwt_requests_total", result);
    assert_eq!((outcome("passed"), outcome("remembered")), (2, 1));
    let asked = issuer.server.seen();
    assert_eq!((asked.len(), asked[0].line()), (1, "GET /keys?of=shop HTTP/1.1"));
    assert_eq!(asked[0].header("host"), Some(&*issuer.server.address.to_string()));
}

#[test]
fn nothing_else_lets_pass() {
    let (app, signer, stranger) = (Upstream::echo("app"), Signer::rsa(), Signer::rsa());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let gateway = Guarded::by(&app, &issuer.url()).start();
    let fine = claims(json!({}));
    let good = signer.issue("1", &fine);
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let confused = signer
        .public_forms()
        .into_iter()
        .map(|secret| bearer(&with_secret(&secret, &json!({ "alg": "HS256", "kid": "1" }), &fine)));
    let unsigned = unsigned(&json!({ "alg": "none", "kid": "1" }), &fine);
    let mut flawed: Vec<String> = confused.collect();
    flawed.extend([
        bearer(&format!("{unsigned}.")),
        bearer(&format!("{unsigned}.AA")),
        bearer(&stranger.issue("1", &fine)),
        bearer(&stranger.issue("2", &fine)),
        bearer(&signer.issue("2", &fine)),
        bearer(&good[..good.len() - 4]),
        bearer(&good[..good.rfind('.').expect("a dot")]),
        bearer(&signer.issue("1", &claims(json!({ "exp": now() - 61 })))),
        bearer(&signer.issue("1", &claims(json!({ "exp": null })))),
        bearer(&signer.issue("1", &claims(json!({ "nbf": now() + 120 })))),
        bearer(&signer.issue("1", &claims(json!({ "iss": "https://j.test" })))),
        bearer(&signer.issue("1", &claims(json!({ "aud": "other" })))),
        bearer(&signer.token(&json!({ "alg": "RS256", "kid": "1", "crit": ["x"] }), &fine)),
    ]);
    for lines in flawed {
        let answer = get(&gateway, &lines);
        assert_eq!(answer.status, 401, "{lines:.60}");
        let asked = answer.header("www-authenticate").expect("it says what to do");
        let head = "Bearer realm=\"a.test\", error=\"invalid_token\", error_description=\"the ";
        assert!(asked.starts_with(head), "{asked}");
    }
    for lines in [
        String::new(),
        "Authorization: Basic dTpw\r\n".into(),
        format!("X-Authorization: Bearer {good}\r\n"),
        format!("Cookie: access_token={good}\r\n"),
    ] {
        let answer = get(&gateway, &lines);
        let asked = answer.header("www-authenticate");
        assert_eq!((answer.status, asked), (401, Some("Bearer realm=\"a.test\"")), "{lines:.40}");
    }
    for first in [bearer(&good), "Authorization: Basic dTpw\r\n".into()] {
        let answer = get(&gateway, &(first + &bearer(&good)));
        assert_eq!(answer.status, 401);
        let asked = answer.header("www-authenticate").expect("it says what is wrong");
        assert!(asked.contains("error=\"invalid_request\""), "{asked}");
    }
    let mut client = gateway.client();
    client.send(format!("GET /?access_token={good} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    assert_eq!((client.answer().status, app.seen().len()), (401, 0));
    assert_eq!(bring(&gateway, &good).status, 200, "it is the tokens");
}

#[test]
fn a_token_that_has_expired_is_remembered_no_more() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let no_skew = |spec: &mut TokenAuth| spec.clock_skew = Duration::ZERO;
    let gateway = Guarded::with(&app, &issuer.url(), no_skew).start();
    let token = signer.issue("1", &claims(json!({ "exp": now() + 2 })));
    assert_eq!(bring(&gateway, &token).status, 200);
    eventually("it expires", || bring(&gateway, &token).status == 401);
    assert!(counted(&gateway, "headgate_jwt_requests_total", "remembered") > 0);
}
