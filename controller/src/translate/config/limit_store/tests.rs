use headgate_config::Effect;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::{super::Config, *};
use crate::{objects::Object, options::Options};

const CERTIFICATE: &str = include_str!("../../../../tests/certificates/ec.crt");

/// The ConfigMap beside a Secret `sys/redis` with this content.
fn read_with(data: &[(&str, &str)], secret: Value) -> Config {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let map = ConfigMap { data: Some(data), ..ConfigMap::default() };
    let secret = serde_json::from_value::<Secret>(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "redis", "namespace": "sys" }, "stringData": secret,
    }));
    let mut objects = Objects::default();
    objects.apply(&Object::from(secret.unwrap()));
    Config::read(&Options::default(), Some((&Key::new("sys", "conf"), &map)), &objects)
}

fn read(data: &[(&str, &str)]) -> Config {
    read_with(data, json!({ "username": "gate", "password": "word of honour" }))
}

fn store(config: &Config) -> &LimitStore {
    assert_eq!(config.verdicts, []);
    assert_eq!(config.defaults.limits.store.problem, None);
    asked(config).unwrap()
}

/// The store that is asked.
fn asked(config: &Config) -> Option<&LimitStore> {
    match config.settings.limit_store.as_ref()? {
        LimitCounting::Store(store) => Some(store),
        LimitCounting::Unusable(_) => None,
    }
}

/// What is said, where there is no store.
fn problem(config: &Config, effect: Effect) -> &str {
    let fallback = config.defaults.limits.store.fallback;
    assert_eq!(config.settings.limit_store, Some(LimitCounting::Unusable(fallback)));
    assert!(config.defaults.limits.store.problem.is_some());
    assert_eq!(config.verdicts.len(), 1, "{:?}", config.verdicts);
    assert_eq!(config.verdicts[0].effect, effect);
    &config.verdicts[0].message
}

#[test]
fn a_url_is_enough() {
    let config = read(&[("limit-shared-url", "redis://redis.sys.svc")]);
    let store = store(&config);
    assert_eq!((&*store.host, store.port, store.database), ("redis.sys.svc", 6379, 0));
    assert_eq!((&store.tls, &store.login), (&None, &None));
    assert_eq!(store.timeout, Duration::from_millis(20));
    assert_eq!(store.fallback, LimitFallback::Local);
    assert_eq!(config.limit_secret, None);
}

#[test]
fn urls_have_a_host_and_perhaps_a_port_and_a_database() {
    for (text, expected) in [
        ("redis://a:1/2", Some((false, "a", 1, 2))),
        ("rediss://a.b-c:65535/", Some((true, "a.b-c", 65535, 0))),
        ("redis://192.0.2.1", Some((false, "192.0.2.1", 6379, 0))),
        ("redis://[::1]:7/3", Some((false, "::1", 7, 3))),
        ("rediss://[::1]", Some((true, "::1", 6379, 0))),
        ("redis://", None),
        ("redis://:6379", None),
        ("redis://a:0", None),
        ("redis://a:65536", None),
        ("redis://a:+1", None),
        ("redis://a/x", None),
        ("redis://a/1/2", None),
        ("redis://a/0?protocol=3", None),
        ("rediss://a/#insecure", None),
        ("redis://[::1", None),
        ("redis://[a]", None),
        ("redis://::1", None),
        ("http://a", None),
        ("a:6379", None),
        ("unix:///run/redis", None),
    ] {
        let address = Address::parts(text);
        let found = address
            .as_ref()
            .map(|found| (found.is_encrypted, &*found.host, found.port, found.database));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_password_comes_from_a_secret_and_is_not_shown() {
    let keys = [
        ("limit-shared-url", "redis://a"),
        ("limit-shared-secret", "sys/redis"),
        ("limit-shared-timeout", "50"),
        ("limit-shared-fallback", "closed"),
    ];
    let config = read(&keys);
    let store = store(&config);
    let login = store.login.as_ref().unwrap();
    assert_eq!((login.username(), login.password()), (Some("gate"), "word of honour"));
    assert_eq!((store.timeout, store.fallback), (Duration::from_millis(50), LimitFallback::Closed));
    assert_eq!(config.limit_secret, Some(Key::new("sys", "redis")));
    let shown = format!("{config:?}{}", serde_json::to_string(&config.settings).unwrap());
    assert!(!shown.contains("honour") && !shown.contains("gate\""), "{shown}");
}

#[test]
fn authorities_are_for_encrypted_connections() {
    let secret = || json!({ "ca.crt": CERTIFICATE });
    let with = |url| {
        read_with(&[("limit-shared-url", url), ("limit-shared-secret", "sys/redis")], secret())
    };
    let encrypted = with("rediss://a");
    let tls = store(&encrypted).tls.as_ref().unwrap();
    assert_eq!(tls.authorities.as_deref(), Some(CERTIFICATE));
    assert_eq!(store(&with("redis://a")).tls, None);
}

#[test]
fn a_password_in_the_url_is_refused_and_not_repeated() {
    for url in ["redis://:hush@a", "redis://user:hush@a:1/2", "rediss://hush@a", "redis://a/@hush"]
    {
        let config = read(&[("limit-shared-url", url)]);
        let message = problem(&config, Effect::Warning);
        assert!(message.contains("limit-shared-secret"), "{message}");
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
    }
    let message = read(&[("limit-shared-url", "http://hush")]).verdicts.remove(0).message;
    assert!(message.contains("rediss://HOST") && !message.contains("hush"), "{message}");
}

#[test]
fn without_what_the_secret_should_say_there_is_no_store() {
    let url = ("limit-shared-url", "redis://a");
    for (name, secret, expected) in [
        ("hunter2", json!({}), "is not NAMESPACE/NAME"),
        ("a/b/c", json!({}), "is not NAMESPACE/NAME"),
        ("sys/other", json!({}), "there is no Secret sys/other"),
        ("sys/redis", json!({ "pass": "x" }), "has none of the keys"),
        (
            "sys/redis",
            json!({ "username": "x" }),
            "has a username and no password; add password, or remove username",
        ),
        ("sys/redis", json!({ "password": "" }), "has a password that is empty"),
        ("sys/redis", json!({ "password": "x", "ca.crt": "x" }), "has a ca.crt that is no list"),
    ] {
        let local = read_with(&[url, ("limit-shared-secret", name)], secret.clone());
        let message = problem(&local, Effect::Warning);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("hunter2"), "it may be the password itself: {message}");
        assert!(message.contains("each replica counts for itself"), "{message}");
        let fallback = ("limit-shared-fallback", "closed");
        let closed = read_with(&[url, ("limit-shared-secret", name), fallback], secret);
        let message = problem(&closed, Effect::Denied);
        assert!(message.contains("what it would count is answered 503"), "{message}");
    }
}

#[test]
fn what_is_no_fallback_is_the_safe_one() {
    let with = |text| read(&[("limit-shared-url", "redis://a"), ("limit-shared-fallback", text)]);
    assert_eq!(store(&with("local")).fallback, LimitFallback::Local);
    assert_eq!(store(&with("")).fallback, LimitFallback::Local);
    let typo = with("close");
    assert_eq!(asked(&typo).unwrap().fallback, LimitFallback::Closed);
    assert_eq!(typo.verdicts.len(), 1);
    assert!(typo.verdicts[0].message.contains("counts as closed"), "{:?}", typo.verdicts);
}

#[test]
fn a_time_that_makes_no_sense_leaves_the_default() {
    for text in ["0", "-1", "10001", "20ms", "many"] {
        let config = read(&[("limit-shared-url", "redis://a"), ("limit-shared-timeout", text)]);
        let store = asked(&config).unwrap();
        assert_eq!(store.timeout, DEFAULT_TIMEOUT, "{text}");
        assert_eq!(config.verdicts.len(), 1);
    }
}
