use super::*;

#[test]
fn a_config_map_has_a_watch_of_its_own() {
    let id = |name: &str| WatchId::ConfigMap(Key::new("a", name));
    let mut told = Told {
        mirror: Mirror::new(Options::default(), [id("x"), id("y")], Arc::default()),
        now: Instant::now(),
    };
    let map = |name: &str| seen(ConfigMap { metadata: metadata(name), ..ConfigMap::default() });
    told.take(Feed::Restarted(id("x")));
    told.take(Feed::Listed(id("x"), map("x")));
    told.take(Feed::Complete(id("x")));
    told.take(Feed::Restarted(id("y")));
    told.take(Feed::Complete(id("y")));
    assert_eq!(told.names(Kind::ConfigMap), ["x"]);
    let meta = told.mirror.meta(Kind::ConfigMap, &Key::new("a", "x"));
    assert_eq!(meta.map(|meta| &*meta.uid), Some("uid of x"));
    told.take(Feed::Restarted(id("x")));
    told.take(Feed::Complete(id("x")));
    assert!(told.names(Kind::ConfigMap).is_empty());
}

fn asking(name: &str, map: &str) -> Box<Seen> {
    let annotation = "nginx.ingress.kubernetes.io/auth-proxy-set-headers".to_owned();
    let metadata =
        ObjectMeta { annotations: Some([(annotation, map.to_owned())].into()), ..metadata(name) };
    let spec = IngressSpec { ingress_class_name: Some("nginx".into()), ..IngressSpec::default() };
    seen(Ingress { metadata, spec: Some(spec), status: None })
}

fn map(name: &str) -> Box<Seen> {
    seen(ConfigMap { metadata: metadata(name), ..ConfigMap::default() })
}

fn map_watch(name: &str) -> WatchId {
    WatchId::ConfigMap(Key::new("a", name))
}

#[test]
fn a_config_map_that_an_ingress_names_is_followed_and_forgotten() {
    let mut told = Told::synced();
    told.apply(asking("i", "a/headers"));
    assert_eq!(told.mirror.take_wishes(), [Wish::Follow(Key::new("a", "headers"))]);
    assert!(told.names(Kind::Ingress).is_empty(), "it waits");
    told.take(Feed::Restarted(map_watch("headers")));
    told.take(Feed::Listed(map_watch("headers"), map("headers")));
    told.take(Feed::Complete(map_watch("headers")));
    assert_eq!(told.names(Kind::Ingress), ["i"]);
    assert_eq!(told.names(Kind::ConfigMap), ["headers"]);
    told.take(Feed::Applied(map_watch("other"), map("other")));
    assert_eq!(told.names(Kind::ConfigMap), ["headers"], "nobody asks for others");
    told.delete(Kind::Ingress, Key::new("a", "i"));
    told.settle("i");
    assert_eq!(told.mirror.take_wishes(), [Wish::Forget(Key::new("a", "headers"))]);
    assert!(told.names(Kind::ConfigMap).is_empty());
}

#[test]
fn a_config_map_that_may_not_be_read_holds_up_nobody() {
    let refusal = || Feed::Interrupted {
        watch: map_watch("headers"),
        reason: "forbidden".into(),
        is_refusal: true,
    };
    let mut told = Told::synced();
    told.apply(asking("i", "a/headers"));
    told.take(refusal());
    assert_eq!(told.names(Kind::Ingress), ["i"]);
    assert!(told.mirror.is_named_map(&map_watch("headers")));

    // At the start it is waited for, and no longer than that.
    let mut told = Told::new(Options::default());
    told.list(Kind::IngressClass, vec![class()]);
    told.list(Kind::Ingress, vec![asking("i", "a/headers")]);
    for kind in [Kind::Service, Kind::Secret] {
        told.list(kind, vec![]);
    }
    assert!(!told.mirror.is_complete());
    told.take(refusal());
    assert!(told.mirror.is_complete());
}
