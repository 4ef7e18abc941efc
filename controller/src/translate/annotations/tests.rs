mod access;
mod balance;
mod cors;
mod errors;
mod limits;
mod mirror;
mod protection;
mod redirect;
mod rules;
mod table;
mod tracing;
mod unknown;
mod values;

use std::collections::BTreeSet;

use super::*;
use crate::{
    objects::{Ingress, Key, Objects},
    options::Options,
    translate::config::{Config, Defaults},
};

type Read = Result<(Arc<Annotations>, Vec<Finding>), Finding>;

fn try_read(annotations: &[(&str, &str)]) -> Read {
    read_with(&Config::default().defaults, annotations)
}

fn read_with(defaults: &Defaults, annotations: &[(&str, &str)]) -> Read {
    read_all(&Options::default(), defaults, prefixed(annotations)).map_err(Finding::from)
}

/// Reads annotations with their prefix, of an Ingress `default/app` where no other object exists.
fn read_all(
    options: &Options,
    defaults: &Defaults,
    annotations: Vec<(Box<str>, Box<str>)>,
) -> Result<(Arc<Annotations>, Vec<Finding>), Refusal> {
    let ingress = Ingress { annotations: annotations.into(), ..Ingress::default() };
    let (objects, key) = (Objects::default(), Key::new("default", "app"));
    let subject = Subject {
        options,
        defaults,
        objects: &objects,
        authorities: &Default::default(),
        key: &key,
        ingress: &ingress,
    };
    read(subject).map(|reading| (reading.annotations, reading.findings))
}

fn prefixed(annotations: &[(&str, &str)]) -> Vec<(Box<str>, Box<str>)> {
    let prefixed = |(name, value): &(&str, &str)| {
        (format!("nginx.ingress.kubernetes.io/{name}").into(), (*value).into())
    };
    annotations.iter().map(prefixed).collect()
}

/// What annotations mean that nothing is said against.
fn means(annotations: &[(&str, &str)]) -> Annotations {
    let (read, findings) = try_read(annotations).unwrap();
    assert_eq!(findings, [], "{annotations:?}");
    (*read).clone()
}

/// The only finding about annotations that are served.
fn finding(annotations: &[(&str, &str)]) -> (Annotations, Finding) {
    let (read, mut findings) = try_read(annotations).unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    ((*read).clone(), findings.remove(0))
}

fn refusal(annotations: &[(&str, &str)]) -> String {
    let finding = try_read(annotations).expect_err("refused");
    assert_eq!(finding.effect, Effect::Refused);
    finding.message
}

#[test]
fn each_name_is_declared_once() {
    let names: Vec<_> = all().flat_map(|(_, definition)| definition.names()).collect();
    assert_eq!(BY_NAME.len(), names.len());
}

#[test]
fn none_are_the_defaults() {
    assert_eq!(means(&[]), Annotations::default());
    let other = [("example.com/use-regex".into(), "true".into())];
    let (read, findings) =
        read_all(&Options::default(), &Config::default().defaults, other.into()).unwrap();
    assert_eq!((&*read, findings), (&Annotations::default(), vec![]));
}

#[test]
fn rewriting() {
    let read = means(&[
        ("use-regex", "1"),
        ("rewrite-target", "/$2"),
        ("x-forwarded-prefix", " /api "),
        ("app-root", "/app"),
    ]);
    assert!(read.use_regex);
    assert_eq!(read.rewrite_target.as_deref(), Some("/$2"));
    assert_eq!(read.forwarded_prefix.as_deref(), Some("/api"), "trimmed");
    assert_eq!(read.app_root.as_deref(), Some("/app"));
}

#[test]
fn a_bad_rewrite_target_is_none() {
    let (read, finding) = finding(&[("rewrite-target", "/a?b=$1")]);
    assert_eq!(read.rewrite_target, None);
    assert_eq!(finding.effect, Effect::Warning);
    assert!(finding.message.contains("\"/a?b=$1\""), "{finding:?}");
    assert_eq!(finding_of_app_root("app"), None);
    assert_eq!(finding_of_app_root("/a b"), None);
}

fn finding_of_app_root(value: &str) -> Option<String> {
    finding(&[("app-root", value)]).0.app_root
}

#[test]
fn aliases_are_a_sorted_set() {
    assert_eq!(means(&[("server-alias", "b.test, a.test,b.test,")]).aliases, ["a.test", "b.test"]);
    assert_eq!(finding(&[("server-alias", "a.*.test,x.test")]).0.aliases, ["x.test"]);
    assert!(refusal(&[("server-alias", "a b")]).contains("server-alias"));
}

#[test]
fn redirects() {
    let read = means(&[
        ("ssl-redirect", "false"),
        ("force-ssl-redirect", "t"),
        ("relative-redirects", "true"),
        ("use-port-in-redirects", "true"),
    ]);
    assert!(
        !read.ssl_redirect
            && read.force_ssl_redirect
            && read.redirect.relative
            && read.redirect.with_port
    );
    assert!(finding(&[("ssl-redirect", "off")]).0.ssl_redirect);
    assert!(refusal(&[("relative-redirects", "on")]).contains("\"on\""));
}

#[test]
fn proxying() {
    let read = means(&[
        ("proxy-body-size", "0"),
        ("proxy-buffer-size", "8k"),
        ("proxy-connect-timeout", "1"),
        ("proxy-next-upstream", "http_503 error non_idempotent"),
        ("proxy-next-upstream-tries", "0"),
        ("proxy-request-buffering", "off"),
    ]);
    assert_eq!((read.body_limit, read.proxy.head_limit), (None, 8192));
    assert_eq!(read.proxy.connect_timeout.as_secs(), 1);
    let on = &read.proxy.retry.on;
    assert!(on.error && !on.timeout && on.non_idempotent);
    assert_eq!(on.statuses, [503]);
    assert_eq!(read.proxy.retry.tries, 0);
    assert!(!read.proxy.request_buffering);
    assert!(!means(&[("proxy-next-upstream", "off")]).proxy.retry.on.error);
    assert_eq!(means(&[("proxy-body-size", "1b")]).body_limit, Some(1 << 20));
    for size in ["0", "1b"] {
        assert_eq!(means(&[("proxy-buffer-size", size)]).proxy.head_limit, 4096, "{size}");
    }
}

#[test]
fn bad_numbers_are_as_unset() {
    for (name, value) in [
        ("proxy-read-timeout", "60s"),
        ("proxy-read-timeout", "-1"),
        ("proxy-body-size", "8mb"),
        ("proxy-buffer-size", "8kb"),
        ("proxy-next-upstream", "http_418"),
    ] {
        assert_eq!(finding(&[(name, value)]).0, Annotations::default(), "{name}: {value}");
    }
}

#[test]
fn an_unreadable_service_upstream_is_false() {
    let mut defaults = (*Config::default().defaults).clone();
    Arc::make_mut(&mut defaults.plain).service_upstream = true;
    assert!(read_with(&defaults, &[("use-regex", "true")]).unwrap().0.service_upstream);
    assert!(!read_with(&defaults, &[("service-upstream", "yes")]).unwrap().0.service_upstream);
}

#[test]
fn a_snippet_refuses_the_ingress() {
    assert!(
        refusal(&[("configuration-snippet", "return 418;")])
            .contains("annotation group ConfigurationSnippet contains risky annotation")
    );
}

#[test]
fn snippets_where_their_risk_is_accepted() {
    let mut defaults = (*Config::default().defaults).clone();
    defaults.restrictions.max_risk = definition::Risk::Critical;
    let (read, findings) = read_with(&defaults, &[("server-snippet", "return 418;")]).unwrap();
    assert_eq!((read.snippets.clone(), findings[0].effect), (None, Effect::Warning), "dropped");
    defaults.restrictions.allow_snippets = true;
    let (read, findings) = read_with(&defaults, &[("server-snippet", "return 418;")]).unwrap();
    let snippets = read.snippets.clone().expect("they are read");
    assert_eq!(snippets.server.as_ref().map(|block| block.steps.len()), Some(1));
    assert_eq!((snippets.location.is_none(), findings.is_empty()), (true, true));
    for (name, value, expected) in [
        (
            "configuration-snippet",
            "\n proxy_pass http://x;",
            "line 2, column 2: directive \"proxy_pass\"",
        ),
        ("server-snippet", "add_header A $b;", "the variable $b"),
        ("auth-snippet", "proxy_set_header A b;", "use auth-proxy-set-headers"),
        ("modsecurity-snippet", "SecRule x", "there is no firewall"),
        ("stream-snippet", "server {}", "--tcp-services-configmap"),
    ] {
        let refusal = read_with(&defaults, &[(name, value)]).unwrap_err().message;
        assert!(refusal.contains(name) && refusal.contains(expected), "{refusal}");
    }
    let both = [("server-snippet", "set $b 1;"), ("configuration-snippet", "add_header A $b;")];
    assert!(read_with(&defaults, &both).is_ok(), "one sets what the other needs");
}

#[test]
fn a_blocked_word_refuses_the_ingress() {
    let mut defaults = (*Config::default().defaults).clone();
    defaults.restrictions.blocked_words = vec!["evil".into()];
    assert!(read_with(&defaults, &[("upstream-vhost", "evil.test")]).is_err());
    assert!(read_with(&defaults, &[("upstream-vhost", "good.test")]).is_ok());
}

/// A replacement without a firewall says so and serves (annotations §3.22).
#[test]
fn a_firewall_that_is_not_there_is_said_and_denies_nothing() {
    let (read, finding) = finding(&[("enable-modsecurity", "true")]);
    assert_eq!((read.denied, finding.effect), (None, Effect::Warning));
    assert!(finding.message.contains("enable-modsecurity"), "{}", finding.message);
}

#[test]
fn refused_values_of_what_is_not_supported() {
    for (name, value) in [
        ("limit-rps", "10r/s"),
        ("permanent-redirect", "https://x$request_uri"),
        ("ssl-passthrough", "yes"),
        ("upstream-hash-by", "$a;b"),
        ("load-balance", "random"),
    ] {
        assert!(refusal(&[(name, value)]).contains(name), "{name}");
    }
}

#[test]
fn a_wish_for_a_firewall_is_answered_once() {
    let (_, found) =
        finding(&[("enable-modsecurity", "true"), ("modsecurity-transaction-id", "a")]);
    assert_eq!(
        found.message,
        "enable-modsecurity, modsecurity-transaction-id ask for a firewall, and there is none here: requests are served unfiltered; have them filtered elsewhere"
    );
    assert_eq!(finding(&[("tpyo", "x")]).1.reason, "UnknownAnnotation");
}

#[test]
fn without_validation_odd_texts_pass_and_odd_numbers_are_as_unset() {
    let options = Options { enable_annotation_validation: false, ..Options::default() };
    let annotations = prefixed(&[("upstream-vhost", "a;b"), ("use-regex", "yes")]);
    let (read, _) = read_all(&options, &Config::default().defaults, annotations).unwrap();
    assert_eq!((read.upstream_host.as_deref(), read.use_regex), (Some("a;b"), false));
}

#[test]
fn names_of_our_own_are_read_whatever_the_prefix() {
    let own = |prefix: &str| {
        let options = Options { annotations_prefix: prefix.into(), ..Options::default() };
        let annotations = vec![("headgate.io/of-tomorrow".into(), "1".into())];
        let (_, findings) =
            read_all(&options, &Config::default().defaults, annotations).expect("it is served");
        findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>()
    };
    for prefix in ["nginx.ingress.kubernetes.io", "example.com"] {
        assert_eq!(
            own(prefix),
            ["annotation headgate.io/of-tomorrow is unknown and has no effect"]
        );
    }
    assert_eq!(full_name("example.com", "headgate.io/a"), "headgate.io/a");
    assert_eq!(full_name("example.com", "a"), "example.com/a");
}
