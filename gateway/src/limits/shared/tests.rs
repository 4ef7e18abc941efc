use std::{net::Ipv6Addr, time::Duration};

use headgate_config::protection::{LimitStore, StoreLogin};

use super::*;

#[test]
fn a_key_names_the_ingress_and_the_client() {
    let id = LimitId { namespace: "ns".into(), name: "app".into(), created: 7 };
    let key = Key::new(&id);
    let of = |text: &str| key.of(text.parse().expect("an address"));
    assert_eq!(of("192.0.2.1"), "headgate:limit:{ns/app/7/192.0.2.1}");
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_eq!(key.of(Ipv6Addr::LOCALHOST.into()), "headgate:limit:{ns/app/7/::1}");
}

#[test]
fn a_password_is_not_shown() {
    let login = StoreLogin::new(Some("a secret name".into()), "much secret".into());
    let store = LimitStore {
        host: "localhost".into(),
        port: 6379,
        database: 0,
        tls: None,
        login: Some(login),
        timeout: Duration::from_millis(20),
        fallback: LimitFallback::Local,
    };
    let shown = format!("{store:?} {}", serde_json::to_string(&store).expect("JSON"));
    assert!(!shown.contains("secret"), "{shown}");
}
