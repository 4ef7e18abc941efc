//! Limits of requests and of speed.

use headgate_config::protection::{RequestLimits, Throttle};

use super::*;

fn limits(annotations: &[(&str, &str)]) -> Option<RequestLimits> {
    limits_of(&means(annotations))
}

fn limits_of(annotations: &Annotations) -> Option<RequestLimits> {
    annotations.protection.as_ref()?.limits.as_deref().cloned()
}

/// Rate and burst.
fn per_second(annotations: &[(&str, &str)]) -> (u32, u32) {
    let (read, _) = try_read(annotations).unwrap();
    let rate = limits_of(&read).unwrap().per_second.unwrap();
    (rate.requests.get(), rate.burst)
}

#[test]
fn numbers_are_limits() {
    let read = limits(&[
        ("limit-rps", "10"),
        ("limit-rpm", "+60"),
        ("limit-connections", "3"),
        ("limit-whitelist", "192.0.2.1, 10.0.0.0/8"),
    ]);
    let read = read.unwrap();
    let rate = read.per_minute.unwrap();
    assert_eq!((rate.requests.get(), rate.burst), (60, 300));
    assert_eq!(read.connections.unwrap().get(), 3);
    assert_eq!(read.exempt.len(), 2);
    assert_eq!((read.rate_status, read.connection_status), (503, 503));
    assert_eq!((&*read.id.namespace, &*read.id.name), ("default", "app"));
}

#[test]
fn the_burst_is_a_multiple_of_the_rate() {
    assert_eq!(per_second(&[("limit-rps", "10")]), (10, 50));
    let with =
        |multiplier| per_second(&[("limit-rps", "10"), ("limit-burst-multiplier", multiplier)]);
    assert_eq!(with("2"), (10, 20));
    assert_eq!(with("0"), (10, 0));
    assert_eq!(with("many"), (10, 50), "as unset");
    assert_eq!(with("-1"), (10, 0));
    assert_eq!(with("9223372036854775807"), (10, u32::MAX));
    assert_eq!(per_second(&[("limit-rps", "9223372036854775807")]), (u32::MAX, u32::MAX));
}

#[test]
fn nothing_above_zero_is_no_limit() {
    for annotations in [
        &[("limit-rps", "0")][..],
        &[("limit-rpm", "-1"), ("limit-connections", "0")],
        &[("limit-rps", "")],
        &[("limit-burst-multiplier", "3"), ("limit-allowlist", "10.0.0.1")],
    ] {
        assert_eq!(means(annotations), Annotations::default(), "{annotations:?}");
    }
}

#[test]
fn a_limit_that_cannot_be_read_refuses_the_ingress() {
    for (name, value) in [
        ("limit-connections", "two"),
        ("limit-rpm", "1.5"),
        ("limit-rps", "10r/s"),
        ("limit-allowlist", "office"),
    ] {
        assert!(refusal(&[(name, value)]).contains(name), "{name}");
    }
    // Without validation, who cannot be read is not exempt.
    let options = Options { enable_annotation_validation: false, ..Options::default() };
    let annotations = prefixed(&[("limit-rps", "1"), ("limit-allowlist", "office, 10.0.0.1")]);
    let (read, findings) = read_all(&options, &Config::default().defaults, annotations).unwrap();
    assert_eq!(limits_of(&read).unwrap().exempt.len(), 1);
    assert!(findings[0].message.contains("\"office\""), "{findings:?}");
}

#[test]
fn speed_is_in_kibibytes() {
    assert_eq!(
        means(&[("limit-rate", "50"), ("limit-rate-after", "1")]).throttle,
        Some(Throttle { rate: 51_200, after: 1024 })
    );
    assert_eq!(means(&[("limit-rate-after", "1")]).throttle, None);
    let mut defaults = (*Config::default().defaults).clone();
    defaults.limits.throttle.rate = 2;
    let with = |annotations: &[_]| read_with(&defaults, annotations).unwrap().0.throttle;
    assert_eq!(with(&[("limit-rate-after", "1")]), Some(Throttle { rate: 2048, after: 1024 }));
    assert_eq!(with(&[("limit-rate", "0")]), None);
    assert_eq!(with(&[("limit-rate", "fast")]), Some(Throttle { rate: 2048, after: 0 }));
}

#[test]
fn clients_that_cannot_be_counted_as_wanted_close_what_is_limited() {
    let mut defaults = (*Config::default().defaults).clone();
    defaults.limits.unusable_key = Some("no such key".into());
    let denied = |annotations: &[_]| read_with(&defaults, annotations).unwrap().0.denied.clone();
    assert_eq!(denied(&[("limit-rps", "1")]).as_deref(), Some("no such key"));
    assert_eq!(denied(&[("limit-rate", "1")]), None);
}
