use std::time::Duration;

use headgate_config::{LogEscape, Network};
use k8s_openapi::api::core::v1::ConfigMap;

use super::*;

mod listeners;
mod tracing;

fn read(data: &[(&str, &str)]) -> Config {
    let map = ConfigMap {
        data: Some(
            data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ),
        ..ConfigMap::default()
    };
    Config::read(&Options::default(), Some((&Key::new("sys", "conf"), &map)), &Objects::default())
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
            "http-redirect-code: \"303\" is not 301, 302, 307 or 308; the default applies: 308",
            "keep-alive: \"many\" is not a whole number; the default applies: 75"
        ]
    );
}

#[test]
fn statuses_that_are_none_are_left_out_of_the_list() {
    let config = read(&[
        ("custom-http-errors", "503, 302,200,x,503"),
        ("disable-proxy-intercept-errors", "true"),
    ]);
    assert_eq!(config.defaults.error_statuses, [302, 503]);
    assert!(config.defaults.plain.errors.spares_upstreams);
    let message = &config.verdicts[0].message;
    assert!(
        message.contains("custom-http-errors") && message.contains("from 300 to 599"),
        "{message}"
    );
    assert_eq!(read(&[("custom-http-errors", "")]).verdicts, []);
}

#[test]
fn certificates_are_stapled_if_that_is_asked_for() {
    assert!(!read(&[]).settings.ocsp);
    let config = read(&[("enable-ocsp", "true")]);
    assert!(config.settings.ocsp && config.verdicts.is_empty());
}

#[test]
fn keys_without_effect_are_named_once() {
    let config = read(&[
        ("use-geoip2", "true"),
        ("enable-syslog", "true"),
        ("map-hash-bucket-size", "1"),
        ("typo", "x"),
    ]);
    let messages: Vec<_> = config.verdicts.iter().map(|verdict| verdict.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "keys enable-syslog, use-geoip2 are not supported yet and have no effect",
            "key map-hash-bucket-size only tunes the workings of nginx and has no effect",
            "key typo is unknown and has no effect"
        ]
    );
}

#[test]
fn protection_that_cannot_be_read_denies_everything() {
    let config = read(&[("global-auth-url", "auth.test without a scheme")]);
    assert!(config.defaults.plain.denied.is_some());
    assert!(config.defaults.default_host.denied.is_some());
    assert_eq!(config.verdicts[0].effect, Effect::Denied);
    assert_eq!(read(&[("global-auth-url", "")]).defaults.plain.denied, None);
}

fn texts(networks: &[Network]) -> Vec<String> {
    networks.iter().map(Network::to_string).collect()
}

#[test]
fn lists_of_addresses_hold_for_all_locations() {
    let config = read(&[
        ("whitelist-source-range", "192.0.2.9,10.1.2.3/8, 192.0.2.9/32"),
        ("denylist-source-range", "10.0.0.1"),
        ("block-cidrs", "2001:db8::/32"),
    ]);
    assert_eq!(config.verdicts, []);
    let protection = config.defaults.plain.protection.as_ref().unwrap();
    assert_eq!(config.defaults.default_host.protection.as_ref(), Some(protection));
    let lists = protection.access.as_ref().unwrap();
    assert_eq!(texts(&lists.allow), ["10.0.0.0/8", "192.0.2.9/32"]);
    assert_eq!(texts(&lists.deny), ["10.0.0.1/32"]);
    let blocked = &config.settings.blocked;
    assert_eq!(texts(&blocked.networks), ["2001:db8::/32"]);
    assert_eq!(blocked.origin.as_ref().unwrap().to_string(), "ConfigMap sys/conf");
    let empty =
        read(&[("whitelist-source-range", " "), ("block-cidrs", ""), ("block-referers", "")]);
    assert_eq!(
        (empty.defaults.plain.protection.as_ref(), &*empty.settings),
        (None, &Settings::default())
    );
}

#[test]
fn a_list_that_cannot_be_read_denies_everything() {
    for (name, value) in [
        ("whitelist-source-range", "10.0.0.0/8,office"),
        ("whitelist-source-range", ","),
        ("denylist-source-range", "10.0.0.0/33"),
        ("block-cidrs", "all"),
    ] {
        let config = read(&[(name, value)]);
        assert!(config.defaults.plain.denied.as_ref().unwrap().contains(name));
        assert!(config.defaults.default_host.denied.is_some());
        assert_eq!(
            (config.verdicts.len(), config.verdicts[0].effect),
            (1, Effect::Denied),
            "{name}"
        );
        assert!(config.verdicts[0].message.contains(name), "{:?}", config.verdicts);
    }
}

#[test]
fn blocked_values_are_a_list_and_bad_patterns_are_said() {
    let mut config = read(&[("block-user-agents", "AlphaBot, ~*x(,"), ("block-referers", "~y")]);
    let blocked = &config.settings.blocked;
    assert_eq!(blocked.user_agents, ["AlphaBot", "~*x("]);
    assert_eq!(blocked.referers, ["~y"]);
    assert_eq!(config.verdicts, []);
    let check =
        |text: &str| if text.contains('(') { Err(format!("{text} is none")) } else { Ok(()) };
    config.check_blocked(PatternCheck {
        path: check,
        rewrite: |_| Ok(()),
        alias: check,
        blocked: check,
        header: |_| Ok(()),
    });
    let messages: Vec<_> = config.verdicts.iter().map(|verdict| &*verdict.message).collect();
    assert_eq!(
        messages,
        [
            "block-user-agents, block-referers: ~*x( is none; all requests are answered with 503: correct or remove it"
        ]
    );
}

#[test]
fn limits_have_their_statuses_and_their_speed_in_common() {
    let config = read(&[
        ("limit-req-status-code", "429"),
        ("limit-conn-status-code", "508"),
        ("limit-conn-zone-variable", "$remote_addr"),
        ("limit-rate", "2"),
        ("limit-rate-after", "3"),
    ]);
    assert_eq!(config.verdicts, []);
    let limits = &config.defaults.limits;
    assert_eq!((limits.rate_status, limits.connection_status), (429, 508));
    let throttle = config.defaults.plain.throttle.unwrap();
    assert_eq!((throttle.rate, throttle.after), (2048, 3072));
    assert_eq!(read(&[("limit-rate-after", "3")]).defaults.plain.throttle, None);
    let wrong = read(&[("limit-req-status-code", "200")]);
    assert_eq!(wrong.defaults.limits, LimitDefaults::default());
    assert_eq!(wrong.verdicts[0].reason, "InvalidValue");
}

#[test]
fn clients_that_are_to_be_counted_by_something_else_close_what_is_limited() {
    let config = read(&[("limit-conn-zone-variable", "$server_name")]);
    assert!(config.defaults.limits.unusable_key.as_ref().unwrap().contains("$server_name"));
    assert_eq!(config.defaults.plain.denied, None);
    assert_eq!(config.verdicts[0].effect, Effect::Denied);
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

#[test]
fn the_log_is_written_as_the_keys_say() {
    let config = read(&[
        ("log-format-escape-json", "true"),
        ("skip-access-log-urls", "/healthz, ~^/ready"),
        ("http2-max-concurrent-streams", "7"),
        ("worker-shutdown-timeout", "10s"),
    ]);
    assert_eq!(config.settings.log.escape, LogEscape::Json);
    assert_eq!(config.settings.log.skipped, ["/healthz", "~^/ready"]);
    assert_eq!(config.settings.http2_streams, 7);
    assert_eq!(config.settings.drain_timeout, Some(Duration::from_secs(10)));
    let both = [("log-format-escape-json", "true"), ("log-format-escape-none", "true")];
    assert_eq!(read(&both).settings.log.escape, LogEscape::None);
}

#[test]
fn readers_of_the_status_are_replaced_family_by_family() {
    let config = read(&[("nginx-status-ipv4-whitelist", "10.0.0.0/8,10.1.2.3")]);
    assert_eq!(texts(&config.settings.status_readers), ["::1/128", "10.0.0.0/8", "10.1.2.3/32"]);
    let config = read(&[("nginx-status-ipv6-whitelist", "2001:db8::/32,here")]);
    assert_eq!(texts(&config.settings.status_readers), ["127.0.0.1/32", "2001:db8::/32"]);
    assert!(config.verdicts[0].message.contains("\"here\" is neither"), "{:?}", config.verdicts);
}

#[test]
fn compression_is_said_coding_by_coding() {
    let config = read(&[
        ("brotli-level", "12"),
        ("enable-brotli", "true"),
        ("enable-zstd", "true"),
        ("gzip-min-length", "1000"),
        ("gzip-types", "Text/CSS  text/special"),
        ("gzip-level", "0x9"),
        ("use-gzip", "true"),
        ("zstd-level", "15"),
    ]);
    let compression = &config.settings.compression;
    assert!(compression.brotli.enabled && compression.zstd.enabled && compression.gzip.enabled);
    assert_eq!((compression.brotli.level, compression.zstd.level), (4, 15));
    assert_eq!((compression.gzip.level, compression.gzip.min_length), (9, 1000));
    assert_eq!(compression.gzip.types, ["text/css", "text/special"]);
    let messages: Vec<_> = config.verdicts.iter().map(|verdict| verdict.message.as_str()).collect();
    assert_eq!(
        messages,
        ["brotli-level: \"12\" is not a level from 0 to 11; the default applies: 4"]
    );
}

#[test]
fn heads_have_two_limits() {
    let limits = |text| settings("large-client-header-buffers", text).head_limits;
    assert_eq!((limits("4 32k").line, limits("4 32k").total), (32 << 10, 128 << 10));
    for bad in ["", "4", "0 8k", "4 8k 1", "4 512", "2 1m", "x 8k"] {
        let config = read(&[("large-client-header-buffers", bad)]);
        assert_eq!(config.settings.head_limits, Settings::default().head_limits, "{bad}");
        assert_eq!(config.verdicts.len(), 1, "{bad}");
    }
}

#[test]
fn headers_that_frame_are_never_hidden() {
    let config = read(&[("hide-headers", "X-One, Content-Length,x-two")]);
    assert_eq!(config.settings.headers.hidden, ["x-one", "x-two"]);
    assert_eq!(config.verdicts.len(), 1);
}
