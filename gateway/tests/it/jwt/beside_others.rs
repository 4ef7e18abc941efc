//! Tokens beside other ways in.

use super::*;

fn allowing(network: &str) -> Option<Arc<AccessLists>> {
    let allow = vec![network.parse().expect("a network")];
    Some(Arc::new(AccessLists { allow, ..AccessLists::default() }))
}

#[test]
fn a_client_is_sent_to_sign_in() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let sign_in = SignIn { url: "https://i.test/login".into(), return_parameter: "rd".into() };
    let guarded = Guarded::by(&app, &issuer.url());
    let gateway = guarded.beside(|protection| protection.sign_in = Some(Arc::new(sign_in))).start();
    let answer = get(&gateway, "");
    assert_eq!(answer.status, 302);
    assert!(
        answer.header("location").is_some_and(|url| url.starts_with("https://i.test/login?rd="))
    );
    assert_eq!(bring(&gateway, "a.b.c").status, 302);
    assert_eq!(bring(&gateway, &signer.issue("1", &claims(json!({})))).status, 200);
}

#[test]
fn where_nobody_is_asked_nobody_is_who_he_says_either() {
    let app = Upstream::echo("app");
    let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    let removed_headers = vec!["X-User".into()];
    location.protection = Some(Arc::new(Protection { removed_headers, ..Protection::default() }));
    let table = snapshot::Table::default().upstream("app", &[app.address]);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    assert_eq!(get(&gateway, "x-user: root\r\nX_User: root\r\nX-Other: 1\r\n").status, 200);
    let seen = app.seen().pop().expect("forwarded");
    assert_eq!(header_lines(&seen, "x-user"), [""; 0]);
    assert_eq!(header_lines(&seen, "x_user"), [""; 0]);
    assert_eq!(header_lines(&seen, "x-other"), ["1"]);
}

#[test]
fn where_another_check_is_enough_nobody_is_who_he_says() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    for (network, token, expected) in
        [("127.0.0.0/8", false, 200), ("192.0.2.0/24", false, 401), ("192.0.2.0/24", true, 200)]
    {
        let guarded = Guarded::by(&app, &issuer.url()).beside(|protection| {
            protection.access = allowing(network);
            protection.any_is_enough = true;
        });
        let gateway = guarded.start();
        let mut lines = "X-User: root\r\n".to_owned();
        if token {
            let token = signer.issue("1", &claims(json!({})));
            lines.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        assert_eq!(get(&gateway, &lines).status, expected, "{network}");
        if let Some(seen) = app.seen().last() {
            let expected: &[&str] = if token { &["alice"] } else { &[] };
            assert_eq!(header_lines(seen, "x-user"), expected);
        }
    }
}

#[test]
fn a_password_or_a_token() {
    let (app, signer) = (Upstream::echo("app"), Signer::p256());
    let issuer = Issuer::publishing(&[signer.jwk("1")]);
    let users = [("user".to_owned(), "{PLAIN}secret".to_owned())];
    let password = PasswordAuth {
        scheme: PasswordScheme::Basic,
        realm: String::new(),
        users: Arc::new(Users::new(users.into())),
    };
    let password = Some(Arc::new(password));
    let right = "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n";
    for any_is_enough in [true, false] {
        let guarded = Guarded::by(&app, &issuer.url()).beside(|protection| {
            protection.password = password.clone();
            protection.any_is_enough = any_is_enough;
        });
        let gateway = guarded.start();
        let expected = if any_is_enough { 200 } else { 401 };
        assert_eq!(get(&gateway, right).status, expected);
        assert_eq!(bring(&gateway, &signer.issue("1", &claims(json!({})))).status, expected);
        let refused = get(&gateway, "");
        let challenges: &[&str] = match any_is_enough {
            true => &["Basic realm=\"\"", "Bearer realm=\"a.test\""],
            false => &["Basic realm=\"\""],
        };
        assert_eq!((refused.status, &*refused.headers("www-authenticate")), (401, challenges));
    }
    assert!(app.seen().iter().all(|seen| seen.header("authorization").is_none()));
}
