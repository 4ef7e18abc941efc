use std::{collections::BTreeMap, time::Duration};

use headgate_config::{Effect, UpstreamId, protection::CacheDuration};
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::*;
use crate::{
    objects::{Ingress, Key, Objects},
    options::Options,
    translate::{
        annotations::{Finding, Reading, read, refusal::Refusal, subject::Subject},
        config::Config,
    },
};

/// Reads annotations of an Ingress `default/app`, beside a ConfigMap `default/headers`.
fn reading(
    options: &Options,
    config: &[(&str, &str)],
    annotations: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Result<Reading, Refusal> {
    let data = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let mut objects = Objects::default();
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some("headers".into()),
            namespace: Some("default".into()),
            ..ObjectMeta::default()
        },
        data: Some(data(headers)),
        ..ConfigMap::default()
    };
    objects.apply(&map.into());
    let main = ConfigMap { data: Some(data(config)), ..ConfigMap::default() };
    let defaults =
        Config::read(options, Some((&Key::new("sys", "main"), &main)), &Objects::default())
            .defaults;
    let annotations = annotations.iter().map(|(name, value)| {
        (format!("nginx.ingress.kubernetes.io/{name}").into(), (*value).into())
    });
    let ingress = Ingress {
        annotations: annotations.collect::<Vec<(Box<str>, Box<str>)>>().into(),
        ..Ingress::default()
    };
    let key = Key::new("default", "app");
    let subject = Subject {
        options,
        defaults: &defaults,
        objects: &objects,
        authorities: &Default::default(),
        key: &key,
        ingress: &ingress,
    };
    read(subject)
}

fn with_headers(annotations: &[(&str, &str)], headers: &[(&str, &str)]) -> Reading {
    let own = [&[("auth-url", "http://auth.test/check")][..], annotations].concat();
    reading(&Options::default(), &[], &own, headers).unwrap()
}

/// What is asked with these companions of a URL; nothing may be said against them.
fn asked(annotations: &[(&str, &str)]) -> (ExternalAuth, Option<SignIn>) {
    let found = with_headers(annotations, &[]);
    assert_eq!((&found.annotations.denied, &found.findings), (&None, &vec![]), "{annotations:?}");
    let protection = found.annotations.protection.as_ref().unwrap();
    let service = protection.external.as_deref().unwrap().clone();
    (service, protection.sign_in.as_deref().cloned())
}

/// Why companions of a URL deny the locations.
fn denial(annotations: &[(&str, &str)]) -> String {
    let found = with_headers(annotations, &[]);
    assert!(found.findings.iter().any(|finding| finding.effect == Effect::Denied));
    found.annotations.denied.clone().unwrap_or_else(|| panic!("denied: {annotations:?}"))
}

#[test]
fn a_url_alone() {
    let usual = CacheDuration { statuses: vec![200, 202, 401], time: Duration::from_secs(300) };
    let expected = ExternalAuth {
        url: "http://auth.test/check".into(),
        cache_durations: vec![usual],
        ..ExternalAuth::default()
    };
    assert_eq!(asked(&[]), (expected, None));
}

#[test]
fn all_its_companions() {
    let (service, sign_in) = asked(&[
        ("auth-method", "POST"),
        ("auth-signin", "https://x.test/start?a=$host"),
        ("auth-signin-redirect-param", "next"),
        ("auth-response-headers", "X-User, X-Groups,,x-user"),
        ("auth-request-redirect", "https://x.test/back"),
        ("auth-always-set-cookie", "true"),
        ("auth-cache-key", "$remote_user$http_authorization"),
        ("auth-cache-duration", "200 10m, 401 1m"),
        ("auth-keepalive", "10"),
    ]);
    assert_eq!(service.method.as_deref(), Some("POST"));
    assert_eq!(service.response_headers, ["X-User", "X-Groups"]);
    assert_eq!(service.request_redirect.as_deref(), Some("https://x.test/back"));
    assert!(service.always_set_cookie);
    assert_eq!(service.cache_key.as_deref(), Some("$remote_user$http_authorization"));
    assert_eq!(service.cache_durations.len(), 2);
    let sign_in = sign_in.unwrap();
    assert_eq!(
        (sign_in.url.as_str(), sign_in.return_parameter.as_str()),
        ("https://x.test/start?a=$host", "next")
    );
}

#[test]
fn a_url_that_leads_nowhere_denies() {
    for url in [
        "auth.test",
        "https://invalid..auth.url",
        "http://",
        "ftp://auth/",
        "http://a b/",
        "http://auth:port/",
        "http://auth/$unknown",
        "http://auth/$ssl_client_s_dn",
        "$scheme://auth/",
    ] {
        let found = reading(&Options::default(), &[], &[("auth-url", url)], &[]).unwrap();
        assert!(found.annotations.denied.is_some(), "{url}");
    }
    assert!(matches!(
        reading(&Options::default(), &[], &[("auth-url", "http://a/;b")], &[]),
        Err(Refusal::InvalidValue { .. })
    ));
    let options = Options { enable_annotation_validation: false, ..Options::default() };
    let found = reading(&options, &[], &[("auth-url", "http://a/\"b c")], &[]).unwrap();
    assert!(found.annotations.denied.is_some(), "without validation");
}

/// The reference drops the protection for some of these (annotations §4, 36).
#[test]
fn a_bad_companion_denies() {
    for (name, value) in [
        ("auth-method", "get"),
        ("auth-response-headers", "X-User;"),
        ("auth-response-headers", "X-User, Host"),
        ("auth-response-headers", "Content-Length"),
        ("auth-request-redirect", "https://x#y"),
        ("auth-always-set-cookie", "yes"),
        ("auth-cache-duration", "5m;"),
        ("auth-cache-duration", "200"),
        ("auth-cache-key", "$unknown"),
        ("auth-proxy-set-headers", "default/none"),
        ("auth-proxy-set-headers", "headers"),
        ("auth-proxy-set-headers", "other/headers"),
        ("auth-proxy-set-headers", "default/a,b"),
    ] {
        assert!(denial(&[(name, value)]).contains(name), "{name}: {value}");
    }
}

#[test]
fn a_bad_page_to_sign_in_at_is_none() {
    for (name, value) in [
        ("auth-signin", "https://x/#a"),
        ("auth-signin", "https://x/$unknown"),
        ("auth-cache-key", "$http_x;"),
    ] {
        let found = with_headers(&[(name, value)], &[]);
        assert_eq!(found.annotations.denied, None, "{name}");
        let findings: Vec<&Finding> = found.findings.iter().collect();
        assert_eq!((findings.len(), findings[0].effect), (1, Effect::Warning), "{name}");
        let protection = found.annotations.protection.as_ref().unwrap();
        assert_eq!(protection.sign_in, None);
        assert_eq!(protection.external.as_ref().unwrap().cache_key, None);
    }
}

#[test]
fn headers_of_a_config_map() {
    let named = [("auth-proxy-set-headers", "default/headers")];
    let found = with_headers(&named, &[("X-B", " $host "), ("X-A", "1"), ("Host", "auth")]);
    assert_eq!(found.annotations.denied, None);
    assert_eq!(found.references.config_maps[..], [Key::new("default", "headers")]);
    let protection = found.annotations.protection.as_ref().unwrap();
    let headers = &protection.external.as_ref().unwrap().request_headers;
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("Host", "auth"), ("X-A", "1"), ("X-B", "$host")]);
    for bad in [("X A", "1"), ("X-A", "1\n2"), ("X-A", "$unknown"), ("Content-Length", "1")] {
        let found = with_headers(&named, &[bad]);
        assert!(found.annotations.denied.is_some(), "{bad:?}");
        assert_eq!(found.references.config_maps.len(), 1, "it is looked at again");
    }
    let missing = with_headers(&[("auth-proxy-set-headers", "default/none")], &[]);
    assert_eq!(missing.references.config_maps[..], [Key::new("default", "none")]);
    assert!(missing.annotations.denied.as_ref().unwrap().contains("right to list and watch"));
}

fn urls(config: &[(&str, &str)], annotations: &[(&str, &str)]) -> Option<String> {
    let found = reading(&Options::default(), config, annotations, &[]).unwrap();
    assert_eq!(found.annotations.denied, None);
    let protection = found.annotations.protection.clone()?;
    protection.external.as_ref().map(|service| service.url.clone())
}

#[test]
fn a_service_for_all_locations() {
    let global = [("global-auth-url", "http://global.test/")];
    for (annotations, expected) in [
        (&[][..], Some("http://global.test/")),
        (&[("use-regex", "true")], Some("http://global.test/")),
        (&[("enable-global-auth", "false")], None),
        (&[("enable-global-auth", "no")], Some("http://global.test/")),
        (&[("auth-url", "")], Some("http://global.test/")),
        (&[("auth-url", "http://own.test/")], Some("http://own.test/")),
        (
            &[("auth-url", "http://own.test/"), ("enable-global-auth", "false")],
            Some("http://own.test/"),
        ),
    ] {
        assert_eq!(urls(&global, annotations).as_deref(), expected, "{annotations:?}");
    }
    assert_eq!(urls(&[], &[("enable-global-auth", "true")]), None);
}

#[test]
fn companions_of_the_service_for_all() {
    let config = [
        ("global-auth-url", "http://global.test/"),
        ("global-auth-method", "HEAD"),
        ("global-auth-signin", "https://x.test/start"),
        ("global-auth-signin-redirect-param", "next"),
        ("global-auth-response-headers", "X-User, X Y, X-Groups"),
        ("global-auth-request-redirect", "https://x.test/#back"),
        ("global-auth-cache-key", "$http_cookie"),
        ("global-auth-always-set-cookie", "true"),
    ];
    let found = reading(&Options::default(), &config, &[], &[]).unwrap();
    let protection = found.annotations.protection.clone().unwrap();
    let service = protection.external.as_ref().unwrap();
    assert_eq!(service.method.as_deref(), Some("HEAD"));
    assert_eq!(service.response_headers, ["X-User", "X-Groups"]);
    assert_eq!(service.request_redirect.as_deref(), Some("https://x.test/#back"));
    assert_eq!(service.cache_key.as_deref(), Some("$http_cookie"));
    assert_eq!(service.cache_durations, duration::parse(duration::DEFAULT).unwrap());
    assert!(service.always_set_cookie);
    assert_eq!(protection.sign_in.as_ref().unwrap().return_parameter, "next");
    let own =
        reading(&Options::default(), &config, &[("auth-url", "http://own.test/")], &[]).unwrap();
    let own = own.annotations.protection.clone().unwrap();
    assert_eq!((&own.sign_in, &own.external.as_ref().unwrap().method), (&None, &None));
}

#[test]
fn a_service_for_all_that_cannot_be_asked_denies_all() {
    let config = [("global-auth-url", "global.test")];
    for annotations in [&[][..], &[("use-regex", "true")]] {
        let found = reading(&Options::default(), &config, annotations, &[]).unwrap();
        assert!(found.annotations.denied.as_ref().unwrap().contains("global-auth-url"));
    }
}

#[test]
fn the_host_of_unknown_names_asks_nobody() {
    let data = [("global-auth-url".to_owned(), "http://global.test/".to_owned())];
    let map = ConfigMap { data: Some(data.into()), ..ConfigMap::default() };
    let config = Config::read(
        &Options::default(),
        Some((&Key::new("sys", "main"), &map)),
        &Objects::default(),
    );
    assert!(config.defaults.plain.protection.is_some());
    assert_eq!(config.defaults.default_host.protection, None);
}

#[test]
fn services_by_name_where_there_is_no_dns_of_a_cluster() {
    let upstream = |url, by_name| {
        let options = Options { resolve_services_by_name: by_name, ..Options::default() };
        text::check_url(url, &options).unwrap().map(|id: UpstreamId| id.to_string())
    };
    for (url, expected) in [
        ("http://auth.ns.svc.cluster.local/x", Some("ns-auth-80")),
        ("https://auth.ns.svc", Some("ns-auth-443")),
        ("http://auth.ns.svc:4180/", Some("ns-auth-4180")),
        ("http://auth.test/", None),
        ("http://a.b.ns.svc/", None),
        ("http://$host.ns.svc/", None),
        ("http://[::1]:80/", None),
    ] {
        assert_eq!(upstream(url, true).as_deref(), expected, "{url}");
        assert_eq!(upstream(url, false), None, "{url}");
    }
}
