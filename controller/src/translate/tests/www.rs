//! Hosts that lead to the name with or without `www.`.

use super::*;

const WWW: (&str, &str) = ("from-to-www-redirect", "true");

/// Where the host of a name sends everybody.
fn redirected(plane: &Plane, name: &str) -> Option<String> {
    let mut hosts = plane.last.hosts.iter().filter(|host| host.name == name);
    let host = hosts.next()?;
    assert_eq!(hosts.count(), 0, "{name} is there twice");
    host.redirect_to.clone()
}

fn other(name: &str, host: &str, annotations: &[(&str, &str)]) -> Object {
    ingress_named(name, "nginx", host, annotations, json!({}))
}

#[test]
fn the_other_name_leads_to_the_host_as_long_as_it_is_asked_for() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("a.test", &[WWW]));
    assert_eq!(plane.hosts(), ["a.test", "www.a.test"]);
    assert_eq!(redirected(&plane, "www.a.test").as_deref(), Some("a.test"));
    assert_eq!(redirected(&plane, "a.test"), None);
    plane.apply(&ingress("www.b.test", &[WWW]));
    assert_eq!(plane.hosts(), ["b.test", "www.b.test"]);
    assert_eq!(redirected(&plane, "b.test").as_deref(), Some("www.b.test"));
    assert_eq!(plane.reasons(), []);
    plane.apply(&ingress("www.b.test", &[]));
    assert_eq!(plane.hosts(), ["www.b.test"]);
    plane.apply(&ingress("www.b.test", &[WWW]));
    plane.remove(Kind::Ingress, "ns", "app");
    assert_eq!(plane.hosts(), [""; 0]);
}

#[test]
fn a_name_with_rules_of_its_own_keeps_them() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("a.test", &[WWW]));
    plane.apply(&other("two", "www.a.test", &[]));
    assert_eq!(redirected(&plane, "www.a.test"), None);
    assert_eq!(plane.reasons(), [(Effect::Warning, "RedirectSkipped")]);
    assert_eq!(plane.last.verdicts[0].object.name, "app");
    plane.remove(Kind::Ingress, "ns", "two");
    assert_eq!(redirected(&plane, "www.a.test").as_deref(), Some("a.test"));
    assert_eq!(plane.reasons(), []);
}

#[test]
fn patterns_and_the_default_host_have_no_other_name() {
    for host in ["*.a.test", ""] {
        let mut plane = Plane::new(Options::default());
        plane.apply(&ingress(host, &[WWW]));
        assert!(plane.last.hosts.iter().all(|host| host.redirect_to.is_none()), "{host:?}");
        assert_eq!(plane.reasons(), [(Effect::Warning, "RedirectSkipped")], "{host:?}");
    }
}

#[test]
fn an_ingress_without_a_location_asks_in_vain() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("a.test", &[]));
    // Of equal age, the last name goes first: its only path is taken.
    plane.apply(&other("a", "a.test", &[WWW]));
    assert_eq!(plane.hosts(), ["a.test"]);
    plane.apply(&other("z", "a.test", &[WWW]));
    assert_eq!(plane.hosts(), ["a.test", "www.a.test"]);
    assert_eq!(plane.last.hosts[2].origin.as_ref().unwrap().name, "z");
}

#[test]
fn it_has_the_certificate_of_the_host_only_if_that_is_for_its_name() {
    const CERTIFICATE: &str = include_str!("../../../tests/certificates/rsa.crt");
    const KEY: &str = include_str!("../../../tests/certificates/rsa.key");
    let options =
        Options { default_ssl_certificate: Some("ns/tls".parse().unwrap()), ..Options::default() };
    let mut plane = Plane::new(options);
    plane.apply(&secret(CERTIFICATE, KEY));
    let names = |plane: &Plane| plane.last.tls.names.keys().cloned().collect::<Vec<_>>();
    let tls = |host: &str| json!({ "tls": [{ "hosts": [host], "secretName": "tls" }] });
    // It is for a.test and *.wild.test.
    plane.apply(&ingress_of("nginx", "a.test", &[WWW], tls("a.test")));
    assert_eq!(names(&plane), ["a.test"]);
    plane.apply(&ingress_of("nginx", "wild.test", &[WWW], tls("wild.test")));
    assert_eq!(names(&plane), ["wild.test", "www.wild.test"]);
    plane.apply(&other("two", "www.wild.test", &[]));
    assert_eq!(names(&plane), ["wild.test"], "a host without TLS has none");
}

#[test]
fn it_goes_before_aliases() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&other("two", "b.test", &[("server-alias", "www.a.test,c.test")]));
    plane.apply(&ingress("a.test", &[WWW]));
    let aliases = |plane: &Plane| {
        let host = plane.last.hosts.iter().find(|host| host.name == "b.test");
        host.unwrap().aliases.len()
    };
    assert_eq!((plane.hosts().len(), aliases(&plane)), (3, 1));
    plane.apply(&ingress("a.test", &[]));
    assert_eq!((plane.hosts().len(), aliases(&plane)), (2, 2));
}
