use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;

use super::*;

fn read(data: &[(&str, &str)]) -> Config {
    let map = ConfigMap {
        data: Some(
            data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ),
        ..ConfigMap::default()
    };
    Config::read(Some((&Key::new("sys", "conf"), &map)))
}

fn settings(key: &str, value: &str) -> Settings {
    let config = read(&[(key, value)]);
    assert_eq!(config.verdicts, [], "{key}: {value}");
    (*config.settings).clone()
}

#[test]
fn no_config_map_is_the_reference_s_defaults() {
    let config = Config::default();
    assert_eq!(*config.settings, Settings::default());
    assert_eq!(*config.defaults.plain, Annotations::default());
    assert!(!config.defaults.default_host.access_log);
}

#[test]
fn settings_of_the_gateway() {
    assert_eq!(settings("http-redirect-code", "301").redirect_status, 301);
    assert_eq!(settings("keep-alive", "0").keep_alive, Duration::ZERO);
    assert_eq!(
        settings("upstream-keepalive-time", "30m").upstream_keepalive_time,
        Duration::from_secs(1800)
    );
    assert_eq!(settings("hsts", "false").hsts, None);
    assert_eq!(settings("hsts-max-age", "100").hsts.unwrap().max_age, "100");
    assert!(settings("use-forwarded-headers", "True").forwarded.trusted);
    assert!(!settings("disable-access-log", "1").access_log);
    assert!(!settings("Use-HTTP2", "f").http2, "keys match without regard to case");
}

#[test]
fn defaults_of_annotations() {
    let config = read(&[
        ("proxy-body-size", "8m"),
        ("proxy-buffer-size", "16k"),
        ("proxy-read-timeout", "5"),
        ("retry-non-idempotent", "true"),
        ("no-tls-redirect-locations", ""),
        ("no-auth-locations", "/open, /hooks,"),
        ("annotations-risk-level", "nonsense"),
        ("annotation-value-word-blocklist", "a, b,"),
    ]);
    assert_eq!(config.verdicts, []);
    let defaults = &config.defaults;
    assert_eq!(defaults.plain.body_limit, Some(8 << 20));
    assert_eq!(defaults.plain.proxy.head_limit, 16 << 10);
    assert_eq!(defaults.plain.proxy.read_timeout, Duration::from_secs(5));
    assert!(defaults.plain.proxy.retry.on.non_idempotent);
    assert_eq!(defaults.no_tls_redirect, [""; 0]);
    assert_eq!(defaults.no_auth, ["/open", "/hooks"]);
    assert_eq!(defaults.restrictions.max_risk, Risk::Low);
    assert_eq!(defaults.restrictions.blocked_words, ["a", "b"]);
}

#[test]
fn a_bad_value_keeps_its_key_s_default_and_no_other() {
    let config =
        read(&[("keep-alive", "many"), ("http-redirect-code", "303"), ("hsts-max-age", "100")]);
    assert_eq!(config.settings.keep_alive, Duration::from_secs(75));
    assert_eq!(config.settings.redirect_status, 308);
    assert_eq!(config.settings.hsts.as_ref().unwrap().max_age, "100");
    let messages: Vec<_> = config.verdicts.iter().map(|verdict| verdict.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "http-redirect-code: \"303\" is not 301, 302, 307 or 308; the default stays",
            "keep-alive: \"many\" is not a whole number; the default stays"
        ]
    );
}

#[test]
fn keys_without_effect_are_named_once() {
    let config = read(&[
        ("use-gzip", "true"),
        ("ssl-protocols", "TLSv9"),
        ("map-hash-bucket-size", "1"),
        ("typo", "x"),
    ]);
    let messages: Vec<_> = config.verdicts.iter().map(|verdict| verdict.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "keys ssl-protocols, use-gzip are not supported yet and have no effect",
            "keys typo are unknown and have no effect"
        ]
    );
}

#[test]
fn protection_that_is_not_available_denies_everything() {
    let config = read(&[("whitelist-source-range", "10.0.0.0/8")]);
    assert!(config.defaults.plain.denied.is_some());
    assert!(config.defaults.default_host.denied.is_some());
    assert_eq!(config.verdicts[0].effect, Effect::Denied);
    assert!(read(&[("limit-rate", "1024")]).defaults.plain.denied.is_some());
    assert!(read(&[("limit-rate", "0")]).defaults.plain.denied.is_none());
    assert_eq!(read(&[("whitelist-source-range", "")]).defaults.plain.denied, None);
}

#[test]
fn trust_is_limited_to_the_peers_that_are_named() {
    let with = |cidr| read(&[("use-forwarded-headers", "true"), ("proxy-real-ip-cidr", cidr)]);
    let peers = |config: &Config| {
        let peers = &config.settings.forwarded.peers;
        peers.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(peers(&read(&[("use-forwarded-headers", "true")])), ["0.0.0.0/0"]);
    let limited = with("10.0.0.0/8,192.168.0.1");
    assert!(limited.settings.forwarded.trusted);
    assert_eq!(peers(&limited), ["10.0.0.0/8", "192.168.0.1/32"]);
    assert_eq!(limited.verdicts, []);
    assert_eq!(peers(&with("")), [""; 0]);
    // A name that is none must not trust everybody.
    let wrong = with("balancer, 10.0.0.0/8");
    assert_eq!(peers(&wrong), ["10.0.0.0/8"]);
    assert_eq!(peers(&with("balancer")), [""; 0]);
    assert!(wrong.verdicts[0].message.contains("balancer"), "{:?}", wrong.verdicts);
    assert!(settings("enable-real-ip", "true").forwarded.real_ip);
}

#[test]
fn standing_by_is_said_or_left_open() {
    assert_eq!(read(&[]).standby, None);
    assert_eq!(read(&[("headgate-standby", "true")]).standby, Some(true));
    let promoted = read(&[("headgate-standby", "false")]);
    assert_eq!(promoted.standby, Some(false));
    assert!(promoted.verdicts.is_empty());
    let typo = read(&[("headgate-standby", "ture")]);
    assert_eq!(typo.standby, None);
    assert_eq!(typo.verdicts[0].reason, "InvalidValue");
}
