//! What is said to whom when an Ingress names something in vain, or cannot be served as written.

use super::*;

fn alone() -> Options {
    Options { is_only_controller: true, ..Options::default() }
}

#[test]
fn where_nobody_else_serves_an_ingress_of_no_class_of_ours_gets_a_verdict() {
    let mut plane = Plane::new(alone());
    plane.apply(&class("other", "example.com/other"));
    for (name, message) in [
        (
            "ngnix",
            "spec.ingressClassName names class \"ngnix\", of which there is no IngressClass (controller k8s.io/ingress-nginx has: nginx); not served",
        ),
        (
            "other",
            "spec.ingressClassName names class \"other\" of the controller \"example.com/other\" (controller k8s.io/ingress-nginx has: nginx); not served",
        ),
    ] {
        plane.apply(&ingress_of(name, "one.test", &[], json!({})));
        assert_eq!(plane.reasons(), [(Effect::Ignored, "IngressClassNotOurs")]);
        assert_eq!(plane.last.verdicts[0].message, message);
        assert!(plane.translator.remarks().is_empty());
    }
    let classless = ingress_of("", "one.test", &[], json!({ "ingressClassName": null }));
    plane.apply(&classless);
    let message = &plane.last.verdicts[0].message;
    assert!(message.starts_with("names no class: set spec.ingressClassName"), "{message}");
    plane.apply(&ingress("one.test", &[]));
    assert_eq!((plane.hosts(), plane.reasons()), (vec!["one.test"], vec![]));
}

#[test]
fn a_class_that_is_deleted_is_missed_and_one_that_comes_is_not() {
    let mut plane = Plane::new(alone());
    plane.apply(&ingress("one.test", &[]));
    assert_eq!(plane.reasons(), []);
    plane.remove(Kind::IngressClass, "", "nginx");
    assert_eq!(plane.reasons(), [(Effect::Ignored, "IngressClassNotOurs")]);
    assert!(plane.last.verdicts[0].message.contains("has: none"), "{:?}", plane.last.verdicts);
    plane.apply(&class("nginx", "example.com/other"));
    assert!(plane.last.verdicts[0].message.contains("example.com/other"));
    plane.apply(&class("nginx", "k8s.io/ingress-nginx"));
    assert_eq!((plane.hosts(), plane.reasons()), (vec!["one.test"], vec![]));
}

/// Routing §1.2: others may serve it.
#[test]
fn in_a_cluster_only_a_class_that_does_not_exist_is_remarked_upon() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&class("other", "example.com/other"));
    plane.apply(&ingress_of("other", "one.test", &[], json!({})));
    plane.apply(&ingress_named("b", "", "b.test", &[], json!({ "ingressClassName": null })));
    assert!(plane.translator.remarks().is_empty());
    plane.apply(&ingress_named("c", "ngnix", "c.test", &[], json!({})));
    let remarks: Vec<_> =
        plane.translator.remarks().iter().map(|remark| remark.object.name.as_str()).collect();
    assert_eq!(remarks, ["c"]);
    plane.remove(Kind::IngressClass, "", "other");
    assert_eq!(plane.translator.remarks().len(), 2, "a class that goes is missed");
    assert_eq!((plane.hosts(), plane.reasons()), (vec![], vec![]));
}

/// Whatever opens a parenthesis more than it closes cannot be served.
fn with_pattern_check() -> Options {
    fn check(text: &str) -> Result<(), String> {
        let is_closed = text.matches('(').count() <= text.matches(')').count();
        is_closed.then_some(()).ok_or_else(|| "unclosed".into())
    }
    let rewrite = |rewrite: &headgate_config::Rewrite| {
        if rewrite.target.ends_with("bad") { Err("unnamed".into()) } else { Ok(()) }
    };
    let check =
        crate::PatternCheck { path: check, rewrite, alias: check, blocked: check, header: check };
    Options { pattern_check: Some(check), ..Options::default() }
}

#[test]
fn a_regular_expression_that_cannot_be_served_gets_a_verdict() {
    let mut plane = Plane::new(with_pattern_check());
    let path = |path: &str| {
        let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
        let path =
            json!({ "path": path, "pathType": "ImplementationSpecific", "backend": backend });
        json!({ "rules": [{ "host": "one.test", "http": { "paths": [path] } }] })
    };
    let regex = ("use-regex", "true");
    plane.apply(&ingress_of("nginx", "", &[regex], path("/a(b")));
    assert_eq!(plane.reasons(), [(Effect::Denied, "InvalidPath")]);
    assert_eq!(
        plane.last.verdicts[0].message,
        "path \"/a(b\" of host \"one.test\" is no usable regular expression: unclosed; requests that begin like it are answered with 503: correct it"
    );
    let target = ("rewrite-target", "/$1/bad");
    plane.apply(&ingress_of("nginx", "", &[regex, target], path("/a(b)")));
    // Of the path and of the host's `/`.
    assert_eq!(plane.reasons(), [(Effect::Denied, "InvalidRewrite"); 2]);
    let alias = ("server-alias", "~(x,b.test");
    plane.apply(&ingress_of("nginx", "", &[alias], path("/a")));
    assert_eq!(plane.reasons(), [(Effect::Warning, "InvalidAlias")]);
    assert_eq!(
        plane.last.verdicts[0].message,
        "alias \"(x\" of host one.test: unclosed; it matches nothing: correct server-alias"
    );
    plane.apply(&ingress_of("nginx", "", &[regex], path("/a(b)")));
    assert_eq!(plane.reasons(), []);
    // Not an expression, because nothing of the host is.
    plane.apply(&ingress_of("nginx", "", &[], path("/a(b")));
    assert_eq!(plane.reasons(), []);
}

#[test]
fn an_ingress_is_told_that_its_service_or_port_does_not_exist() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[("default-backend", "spare")]));
    let said = |plane: &Plane| {
        let said = plane.last.verdicts.iter();
        said.map(|verdict| format!("{}: {}", verdict.object, verdict.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        said(&plane),
        [
            "Ingress ns/app: annotation default-backend: the Service ns/spare is named as a backend and does not exist; create it or correct the name",
            "Ingress ns/app: host one.test, path /: the Service ns/web is named as a backend and does not exist; create it or correct the name",
        ]
    );
    plane.apply(&typed::<k8s_openapi::api::core::v1::Service>(json!({
        "metadata": { "name": "web", "namespace": "ns" }, "spec": { "ports": [{ "port": 81 }] },
    })));
    plane.apply(&ingress("one.test", &[]));
    assert_eq!(
        said(&plane),
        [
            "Ingress ns/app: host one.test, path /: the Service ns/web has no TCP port \"80\", which a backend names; correct one of them"
        ]
    );
    plane.remove(Kind::Ingress, "ns", "app");
    assert_eq!(said(&plane), [""; 0]);
}

#[test]
fn an_ingress_is_told_that_its_secret_does_not_exist() {
    let options = Options {
        default_ssl_certificate: Some("ns/default".parse().unwrap()),
        ..Options::default()
    };
    let mut plane = Plane::new(options);
    let tls = json!({ "tls": [{ "hosts": ["one.test"], "secretName": "tls" }] });
    plane.apply(&ingress_of("nginx", "one.test", &[], tls));
    let missing = plane.last.verdicts.iter().filter(|verdict| verdict.reason == "SecretNotFound");
    let missing: Vec<_> =
        missing.map(|verdict| format!("{}: {}", verdict.object, verdict.message)).collect();
    assert_eq!(
        missing,
        [
            "Ingress ns/app: host one.test: spec.tls names the Secret ns/tls, which does not exist; create it or correct the name; the default certificate is used instead",
            "Secret ns/default: --default-ssl-certificate names it, but it does not exist; a self-signed certificate is used instead: create it, or correct the flag",
        ]
    );
}

#[test]
fn where_nobody_reviews_an_ingress_is_told_that_another_has_its_path() {
    let mut plane = Plane::new(alone());
    // Of equally old objects the one whose name sorts last comes first.
    plane.apply(&ingress_named("zoe", "nginx", "one.test", &[], json!({})));
    plane.apply(&ingress_named("bob", "nginx", "one.test", &[], json!({})));
    plane.apply(&ingress_named("eve", "nginx", "two.test", &[], json!({})));
    let taken = |plane: &Plane| {
        let taken = plane.last.verdicts.iter().filter(|verdict| verdict.reason == "PathTaken");
        taken.map(|verdict| format!("{}: {}", verdict.object, verdict.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        taken(&plane),
        [
            "Ingress ns/bob: host \"one.test\" and path \"/\" is already defined in ingress ns/zoe, which keeps it; remove it from one of them"
        ]
    );
    plane.remove(Kind::Ingress, "ns", "zoe");
    assert_eq!(taken(&plane), [""; 0]);
}

#[test]
fn a_config_map_that_the_options_name_in_vain_is_missed() {
    let mut plane = Plane::new(Options { is_only_controller: true, ..with_config_map() });
    assert_eq!(plane.reasons(), [(Effect::Warning, "ConfigMapNotFound")]);
    assert_eq!(plane.last.verdicts[0].object.to_string(), "ConfigMap sys/conf");
    plane.apply(&config_map(json!({})));
    assert_eq!(plane.reasons(), []);
    plane.remove(Kind::ConfigMap, "sys", "conf");
    assert_eq!(plane.reasons(), [(Effect::Warning, "ConfigMapNotFound")]);
}

/// A finding that a file is refused.
fn refused_file() -> Vec<Verdict> {
    let object = headgate_config::ObjectRef {
        kind: "File".into(),
        namespace: String::new(),
        name: "a.yaml".into(),
    };
    let (reason, message) = ("InvalidManifest".into(), "line 6".into());
    vec![Verdict { object, effect: Effect::Refused, reason, message }]
}

fn is_closed(plane: &Plane) -> bool {
    let host = plane.last.hosts.iter().find(|host| host.name == "one.test").unwrap();
    host.locations.iter().all(|location| location.action == Action::Deny)
}

#[test]
fn nothing_is_open_while_the_config_map_may_be_in_what_is_refused() {
    let mut plane = Plane::starting(Options { is_only_controller: true, ..with_config_map() });
    plane.translator.report(refused_file());
    plane.apply(&ingress("one.test", &[]));
    assert!(is_closed(&plane));
    assert!(plane.reasons().contains(&(Effect::Denied, "ConfigMapNotRead")));
    plane.apply(&config_map(json!({})));
    assert!(!is_closed(&plane));
    // It was there: that it is removed is meant.
    plane.remove(Kind::ConfigMap, "sys", "conf");
    assert!(!is_closed(&plane));
}

#[test]
fn a_mistake_in_another_file_closes_nothing_once_the_config_map_is_known_not_to_exist() {
    let mut plane = Plane::starting(Options { is_only_controller: true, ..with_config_map() });
    plane.apply(&ingress("one.test", &[]));
    plane.translator.report(refused_file());
    plane.apply(&ingress_named("b", "nginx", "two.test", &[], json!({})));
    assert!(!is_closed(&plane));
}

#[test]
fn what_was_closed_for_a_refused_file_opens_when_nothing_is_refused() {
    let mut plane = Plane::starting(Options { is_only_controller: true, ..with_config_map() });
    plane.translator.report(refused_file());
    plane.apply(&ingress("one.test", &[]));
    plane.translator.report(Vec::new());
    plane.translate();
    assert!(!is_closed(&plane));
}
