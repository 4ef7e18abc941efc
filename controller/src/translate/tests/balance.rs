//! Who decides how the requests of an upstream are spread (annotations §1.10), and which canary gets a share of which
//! upstream (routing §13).

use headgate_config::{
    Balance, Upstream, UpstreamId,
    balance::{AffinityMode, CanaryValue},
};

use super::*;

/// An Ingress of a Service, at these paths of `one.test`; older if `created` is less.
fn of(
    name: &str,
    created: u32,
    service: &str,
    paths: &[&str],
    annotations: &[(&str, &str)],
) -> Object {
    let (names, paths) = (annotations.iter(), paths.iter());
    let annotations: serde_json::Map<_, _> = names
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), (*value).into()))
        .collect();
    let backend = json!({ "service": { "name": service, "port": { "number": 80 } } });
    let paths = paths.map(|path| match path.strip_prefix('=') {
        Some(path) => json!({ "path": path, "pathType": "Exact", "backend": backend }),
        None => json!({ "path": path, "pathType": "Prefix", "backend": backend }),
    });
    let paths: Vec<_> = paths.collect();
    typed::<Ingress>(json!({
        "metadata": { "name": name, "namespace": "ns", "annotations": annotations,
            "creationTimestamp": format!("2024-01-01T00:00:{created:02}Z") },
        "spec": { "ingressClassName": "nginx",
            "rules": [{ "host": "one.test", "http": { "paths": paths } }] },
    }))
}

fn plane(objects: &[Object]) -> Plane {
    let mut plane = Plane::new(Options::default());
    for object in objects {
        plane.apply(object);
    }
    plane
}

fn id(service: &str) -> UpstreamId {
    UpstreamId { namespace: "ns".into(), service: service.into(), port: "80".into() }
}

fn upstream<'p>(plane: &'p Plane, service: &str) -> &'p Upstream {
    plane.last.upstreams.get(&id(service)).unwrap()
}

/// The Service that gets a share of the requests of another.
fn canary<'p>(plane: &'p Plane, service: &str) -> Option<&'p str> {
    let canary = upstream(plane, service).canary.as_ref()?;
    assert!(plane.last.upstreams.contains(&canary.upstream), "it is there");
    Some(&canary.upstream.service)
}

/// Name of the cookie, whether it names its endpoint, and its places.
fn affinity(plane: &Plane, service: &str) -> Option<(String, bool, Vec<String>)> {
    let affinity = upstream(plane, service).affinity.as_ref()?;
    let is_persistent = affinity.mode == AffinityMode::Persistent;
    let paths = |(host, paths): (&String, &Vec<String>)| format!("{host} {}", paths.join(" "));
    let places = affinity.places.iter().map(paths).collect();
    Some((affinity.cookie.name.clone(), is_persistent, places))
}

const EWMA: (&str, &str) = ("load-balance", "ewma");
const COOKIE: (&str, &str) = ("affinity", "cookie");
const CANARY: (&str, &str) = ("canary", "true");
const WEIGHT: (&str, &str) = ("canary-weight", "10");

#[test]
fn the_oldest_decides_how_a_service_is_balanced() {
    let hash = ("upstream-hash-by", "$request_uri");
    let mut plane = plane(&[of("new", 2, "web", &["/new"], &[EWMA])]);
    assert_eq!(upstream(&plane, "web").balance, Balance::Ewma);
    plane.apply(&of("old", 1, "web", &["/old"], &[]));
    assert_eq!(upstream(&plane, "web").balance, Balance::RoundRobin);
    plane.apply(&of("old", 1, "web", &["/old"], &[hash, EWMA]));
    let Balance::Hash(by) = &upstream(&plane, "web").balance else { panic!("it goes first") };
    assert_eq!((by.key.as_str(), by.subset), ("$request_uri", None));
    plane.remove(Kind::Ingress, "ns", "old");
    assert_eq!(upstream(&plane, "web").balance, Balance::Ewma);
}

#[test]
fn an_ingress_that_only_asks_a_service_about_requests_decides_nothing() {
    let plane = plane(&[
        of("asks", 1, "other", &["/"], &[EWMA, ("auth-url", "http://web.ns.svc.cluster.local/")]),
        of("serves", 2, "web", &["/web"], &[]),
    ]);
    assert_eq!(upstream(&plane, "other").balance, Balance::Ewma);
    assert_eq!(upstream(&plane, "web").balance, Balance::RoundRobin);
}

#[test]
fn the_newest_mention_as_default_backend_decides_anew() {
    let default = |name: &str, created: u32, annotations: &[(&str, &str)]| {
        let mut object = serde_json::to_value(json!({})).unwrap();
        object["metadata"] = json!({ "name": name, "namespace": "ns",
            "creationTimestamp": format!("2024-01-01T00:00:{created:02}Z") });
        for (name, value) in annotations {
            object["metadata"]["annotations"][format!("nginx.ingress.kubernetes.io/{name}")] =
                (*value).into();
        }
        object["spec"] = json!({ "ingressClassName": "nginx",
            "defaultBackend": { "service": { "name": "web", "port": { "number": 80 } } } });
        typed::<Ingress>(object)
    };
    let plane = plane(&[
        of("old", 1, "web", &["/"], &[("upstream-hash-by", "$host")]),
        default("b", 2, &[]),
        default("c", 3, &[EWMA]),
        of("new", 4, "web", &["/new"], &[]),
    ]);
    assert_eq!(upstream(&plane, "web").balance, Balance::Ewma);
}

#[test]
fn the_config_map_says_how_services_are_balanced_that_say_nothing() {
    let mut plane =
        Plane::new(Options { configmap: Some("ns/conf".parse().unwrap()), ..Options::default() });
    plane.apply(&of("a", 1, "web", &["/"], &[]));
    plane.apply(&of("b", 2, "other", &["/b"], &[("load-balance", "round_robin")]));
    let config = |value: &str| {
        typed::<ConfigMap>(json!({ "metadata": { "name": "conf", "namespace": "ns" },
            "data": { "load-balance": value } }))
    };
    plane.apply(&config("ewma"));
    assert_eq!(upstream(&plane, "web").balance, Balance::Ewma);
    assert_eq!(upstream(&plane, "other").balance, Balance::RoundRobin);
    plane.apply(&config("chash"));
    assert_eq!(upstream(&plane, "web").balance, Balance::RoundRobin);
    assert_eq!(plane.reasons(), [(Effect::Warning, "InvalidValue")]);
}

#[test]
fn affinity_has_its_mode_from_the_oldest_and_its_cookie_from_the_newest() {
    let named = |name| ("session-cookie-name", name);
    let mut plane = plane(&[
        of("none", 1, "web", &["/none"], &[]),
        of(
            "old",
            2,
            "web",
            &["/old", "=/exact"],
            &[COOKIE, named("OLD"), ("affinity-mode", "persistent")],
        ),
        of("new", 3, "web", &["/new"], &[COOKIE, named("NEW"), ("affinity-mode", "balanced")]),
        of("other", 4, "web", &["/other"], &[named("OTHER")]),
    ]);
    let places = |text: &str| vec![text.to_owned()];
    let expected = Some(("NEW".into(), true, places("one.test /exact /new /old")));
    assert_eq!(affinity(&plane, "web"), expected);
    plane.remove(Kind::Ingress, "ns", "old");
    assert_eq!(affinity(&plane, "web"), Some(("NEW".into(), false, places("one.test /new"))));
    plane.remove(Kind::Ingress, "ns", "new");
    assert_eq!(affinity(&plane, "web"), None);
}

#[test]
fn a_canary_gets_a_share_of_the_service_that_has_its_path() {
    let mut plane = plane(&[
        of("canary", 1, "two", &["/", "/gone"], &[CANARY, WEIGHT]),
        of("main", 2, "one", &["/"], &[]),
    ]);
    assert_eq!(canary(&plane, "one"), Some("two"));
    assert_eq!(plane.reasons(), [(Effect::Warning, "CanaryWithoutPrimary")]);
    let rules = upstream(&plane, "one").canary.as_ref().unwrap().rules.clone();
    assert_eq!((rules.weight, rules.total, &rules.header), (10, 100, &None));
    // Not at a path of another type, nor where somebody older has it.
    plane.apply(&of("main", 2, "one", &["=/"], &[]));
    assert_eq!(canary(&plane, "one"), None);
    assert!(!plane.last.upstreams.contains(&id("two")), "nobody needs it");
    plane.apply(&of("main", 2, "one", &["/"], &[]));
    plane.apply(&of("older", 1, "zero", &["/"], &[]));
    assert_eq!((canary(&plane, "one"), canary(&plane, "zero")), (None, Some("two")));
    plane.remove(Kind::Ingress, "ns", "canary");
    assert_eq!(canary(&plane, "zero"), None);
    assert_eq!(plane.reasons(), []);
}

#[test]
fn of_two_canaries_the_older_is_used() {
    let mut plane = plane(&[
        of("main", 1, "main", &["/", "/x"], &[]),
        of("c2", 3, "two", &["/"], &[CANARY]),
        of("c1", 2, "one", &["/x"], &[CANARY]),
    ]);
    assert_eq!(canary(&plane, "main"), Some("one"));
    assert!(!plane.last.upstreams.contains(&id("two")));
    plane.remove(Kind::Ingress, "ns", "c1");
    assert_eq!(canary(&plane, "main"), Some("two"));
    assert!(!plane.last.upstreams.contains(&id("one")));
}

#[test]
fn a_service_that_an_older_ingress_serves_is_no_canary() {
    let plane = plane(&[
        of("main", 1, "one", &["/"], &[]),
        of("own", 2, "two", &["/own"], &[]),
        of("canary", 3, "two", &["/"], &[CANARY, WEIGHT]),
    ]);
    assert_eq!((canary(&plane, "one"), canary(&plane, "two")), (None, None));
}

#[test]
fn a_service_is_not_its_own_canary_and_is_served_though_a_canary_named_it_first() {
    let mut plane = plane(&[
        of("canary", 1, "one", &["/"], &[CANARY, WEIGHT]),
        of("main", 2, "one", &["/"], &[]),
    ]);
    assert_eq!(canary(&plane, "one"), None);
    assert!(plane.hosts() == ["one.test"] && plane.last.upstreams.contains(&id("one")));
    assert_eq!(plane.reasons(), [(Effect::Warning, "CanaryWithoutPrimary")]);
    plane.remove(Kind::Ingress, "ns", "main");
    assert!(!plane.last.upstreams.contains(&id("one")));
}

#[test]
fn a_canary_is_bound_as_its_primary_unless_it_is_of_the_old_kind() {
    let main = of("main", 1, "one", &["/"], &[COOKIE]);
    let mut plane = plane(&[main, of("canary", 2, "two", &["/"], &[CANARY])]);
    assert_eq!(affinity(&plane, "two"), affinity(&plane, "one"));
    assert!(affinity(&plane, "two").is_some());
    let legacy = ("affinity-canary-behavior", "legacy");
    plane.apply(&of("canary", 2, "two", &["/"], &[CANARY, COOKIE, legacy]));
    assert_eq!(affinity(&plane, "two"), None);
    plane.apply(&of("canary", 2, "two", &["/"], &[CANARY]));
    plane.apply(&of("main", 1, "one", &["/"], &[COOKIE, ("session-cookie-name", "sid")]));
    assert_eq!(affinity(&plane, "two").unwrap().0, "sid", "a change of the primary's is its own");
}

#[test]
fn of_a_value_and_a_pattern_only_the_value_counts_and_a_bad_pattern_has_a_verdict() {
    fn check(text: &str) -> Result<(), String> {
        if text.contains("(bad") { Err("unclosed".into()) } else { Ok(()) }
    }
    let pattern_check = crate::PatternCheck {
        path: check,
        rewrite: |_| Ok(()),
        alias: check,
        blocked: check,
        header: check,
    };
    let mut plane =
        Plane::new(Options { pattern_check: Some(pattern_check), ..Options::default() });
    plane.apply(&of("main", 1, "one", &["/"], &[]));
    let header = ("canary-by-header", "X-Canary");
    let pattern = ("canary-by-header-pattern", "(bad");
    let value = |plane: &Plane| {
        let rules = &upstream(plane, "one").canary.as_ref().unwrap().rules;
        let header = rules.header.clone().unwrap();
        assert_eq!(header.name, "x-canary");
        header.value
    };
    plane.apply(&of("canary", 2, "two", &["/"], &[CANARY, header, pattern]));
    assert_eq!(value(&plane), CanaryValue::Matches("(bad".into()));
    assert_eq!(plane.reasons(), [(Effect::Warning, "InvalidPattern")]);
    let is = ("canary-by-header-value", "yes");
    plane.apply(&of("canary", 2, "two", &["/"], &[CANARY, header, pattern, is]));
    assert_eq!(value(&plane), CanaryValue::Is("yes".into()));
    assert_eq!(plane.reasons(), []);
}

/// What is said about an Ingress and canaries.
fn said(plane: &Plane, name: &str) -> Vec<String> {
    let verdicts = plane.last.verdicts.iter();
    let own = verdicts.filter(|verdict| verdict.object.name == name);
    let own = own.filter(|verdict| verdict.reason.starts_with("Canary"));
    own.map(|verdict| format!("{}: {}", verdict.reason, verdict.message)).collect()
}

#[test]
fn a_second_canary_is_told_that_it_gets_nothing() {
    let mut plane = plane(&[
        of("main", 1, "web", &["/"], &[]),
        of("first", 2, "one", &["/"], &[CANARY, WEIGHT]),
        of("second", 3, "two", &["/"], &[CANARY, WEIGHT]),
    ]);
    assert_eq!(said(&plane, "first"), [""; 0]);
    assert_eq!(
        said(&plane, "second"),
        [
            "CanaryNotUsed: Service web:80 has a canary, one:80 of Ingress ns/first, which comes first: Service two:80 gets no requests as another; remove one of them"
        ]
    );
    plane.remove(Kind::Ingress, "ns", "first");
    assert_eq!(said(&plane, "second"), [""; 0]);
}

#[test]
fn a_canary_is_told_of_requests_that_it_gets_without_naming_them() {
    let mut plane = plane(&[
        of("main", 1, "web", &["/", "/more"], &[]),
        of("canary", 2, "new", &["/"], &[CANARY, WEIGHT]),
    ]);
    assert_eq!(
        said(&plane, "canary"),
        [
            "CanaryReachesFurther: the canary gets its share of all requests for Service web:80, also of those for host \"one.test\", path \"/more\", which it does not name; give those another Service if it should not"
        ]
    );
    plane.apply(&of("canary", 2, "new", &["/", "/more"], &[CANARY, WEIGHT]));
    assert_eq!(said(&plane, "canary"), [""; 0]);
}

#[test]
fn a_canary_is_told_whose_rules_count() {
    let mut plane = plane(&[
        of("new", 1, "new", &["/new"], &[]),
        of("main", 2, "web", &["/"], &[]),
        of("canary", 3, "new", &["/"], &[CANARY, WEIGHT]),
    ]);
    assert!(said(&plane, "canary")[0].contains("a backend of Ingress ns/new, too"));
    plane.remove(Kind::Ingress, "ns", "new");
    assert_eq!(said(&plane, "canary"), [""; 0]);
    plane.apply(&of("other", 4, "new", &["/"], &[CANARY, ("canary-weight", "20")]));
    let message = said(&plane, "other").pop().unwrap();
    assert!(message.starts_with("CanaryOverruled: Ingress ns/canary"), "{message}");
    assert_eq!(said(&plane, "canary"), [""; 0]);
}
