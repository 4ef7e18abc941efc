//! Limits of requests and of speed.

use headgate_config::protection::{LimitFallback, RequestLimits, Throttle};

use super::*;
use crate::translate::config::limit_store::StoreState;

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
        &[("limit-rpm", "0"), ("limit-connections", "0")],
        &[("limit-rps", "")],
        &[("limit-burst-multiplier", "3"), ("limit-allowlist", "10.0.0.1")],
    ] {
        assert_eq!(means(annotations), Annotations::default(), "{annotations:?}");
    }
}

#[test]
fn a_limit_below_zero_is_none_and_that_is_said() {
    for name in ["limit-connections", "limit-rate", "limit-rpm", "limit-rps"] {
        let (read, finding) = finding(&[(name, "-1")]);
        assert_eq!((limits_of(&read), read.throttle), (None, None), "{name}");
        assert!(finding.message.contains("-1 means that there is no such limit"), "{finding:?}");
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

/// Defaults with a store of shared limits, or with a reason why there is none.
fn with_store(problem: Option<&str>, fallback: LimitFallback) -> Defaults {
    let mut defaults = (*Config::default().defaults).clone();
    let problem = problem.map(str::to_owned);
    defaults.limits.store = StoreState { problem, fallback, is_set: true };
    defaults
}

/// Whether the rates are shared, whether all is denied, and the reasons of what is said.
fn shared(defaults: &Defaults, own: &[(&str, &str)]) -> (bool, bool, Vec<&'static str>) {
    let of = |(name, value): &(&str, &str)| {
        (full_name("nginx.ingress.kubernetes.io", name).into(), (*value).into())
    };
    let own = own.iter().map(of).collect();
    let (read, findings) = read_all(&Options::default(), defaults, own).unwrap();
    let is_shared = limits_of(&read).is_some_and(|limits| limits.shared);
    let reasons = findings.iter().map(|finding| finding.reason).collect();
    (is_shared, read.denied.is_some(), reasons)
}

#[test]
fn rates_are_shared_where_that_is_wanted_and_possible() {
    let there = with_store(None, LimitFallback::Closed);
    let (rate, on) = (("limit-rps", "10"), ("headgate.io/limit-shared", "true"));
    assert_eq!(shared(&there, &[rate]), (false, false, vec![]));
    assert_eq!(shared(&there, &[rate, on]), (true, false, vec![]));
    assert_eq!(shared(&there, &[("limit-rpm", "1"), on]), (true, false, vec![]));
    let off = ("headgate.io/limit-shared", "false");
    assert_eq!(shared(&there, &[rate, off]), (false, false, vec![]));
    assert_eq!(shared(&there, &[on]), (false, false, vec!["InvalidAnnotation"]));
    let connections = ("limit-connections", "5");
    assert_eq!(shared(&there, &[rate, on, connections]), (true, false, vec!["NotSupported"]));
    assert_eq!(
        shared(&there, &[on, connections]),
        (false, false, vec!["NotSupported", "InvalidAnnotation"])
    );
}

#[test]
fn without_a_store_each_replica_counts_or_nothing_passes() {
    let own = [("limit-rps", "10"), ("headgate.io/limit-shared", "true")];
    let local = with_store(Some("there is none"), LimitFallback::Local);
    assert_eq!(shared(&local, &own), (true, false, vec!["LimitNotShared"]), "metrics tell");
    assert_eq!(shared(&Config::default().defaults, &own), (false, false, vec!["LimitNotShared"]));
    let closed = with_store(Some("there is none"), LimitFallback::Closed);
    assert_eq!(shared(&closed, &own), (true, false, vec!["LimitNotShared"]));
    let mut nowhere = closed.clone();
    nowhere.limits.store.is_set = false;
    assert_eq!(shared(&nowhere, &own), (false, true, vec!["AnnotationParsingFailed"]));
    assert_eq!(shared(&closed, &own[..1]), (false, false, vec![]), "it is not shared");
}

#[test]
fn whether_a_limit_is_shared_has_to_be_readable() {
    let own = |value: &str| {
        vec![
            ("nginx.ingress.kubernetes.io/limit-rps".into(), "10".into()),
            ("headgate.io/limit-shared".into(), value.into()),
        ]
    };
    let there = with_store(None, LimitFallback::Local);
    let strict = read_all(&Options::default(), &there, own("yes"));
    assert!(strict.is_err(), "{strict:?}");
    let options = Options { enable_annotation_validation: false, ..Options::default() };
    let (read, _) = read_all(&options, &there, own("yes")).unwrap();
    assert!(read.denied.is_some());
}
