//! ConfigMaps that are followed, and what the main one names.

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

/// The main ConfigMap, with the Secret of shared limits that it names.
fn main_map(secret: &str) -> Box<Seen> {
    let data = [("limit-shared-secret".to_owned(), format!("a/{secret}"))];
    let map =
        ConfigMap { metadata: metadata("main"), data: Some(data.into()), ..Default::default() };
    seen(map)
}

/// With a main ConfigMap that has been read.
fn configured(secret: &str) -> Told {
    let options = Options { configmap: "a/main".parse().ok(), ..Options::default() };
    let watches = KINDS.map(WatchId::All).into_iter().chain([map_watch("main")]);
    let mut told =
        Told { mirror: Mirror::new(options, watches, Arc::default()), now: Instant::now() };
    told.list(Kind::IngressClass, vec![class()]);
    told.list(Kind::Ingress, vec![]);
    told.list(Kind::Service, vec![]);
    assert!(!told.mirror.knows_ingresses(), "it may name a Secret");
    told.take(Feed::Restarted(map_watch("main")));
    told.take(Feed::Listed(map_watch("main"), main_map(secret)));
    told.take(Feed::Complete(map_watch("main")));
    assert!(told.mirror.knows_ingresses());
    told
}

#[test]
fn the_secret_that_the_main_config_map_names_is_read_with_the_others() {
    let mut told = configured("redis");
    assert_eq!(told.mirror.take_fetches(), []);
    told.list(Kind::Secret, vec![secret("other"), secret("redis")]);
    assert!(told.mirror.is_complete());
    assert_eq!(told.names(Kind::Secret), ["redis"]);
    // An Ingress of that name names nothing.
    told.apply(ingress("main", None));
    told.settle("main");
    assert_eq!(told.names(Kind::Secret), ["redis"]);
    told.take(Feed::Deleted(map_watch("main"), Key::new("a", "main")));
    assert!(told.names(Kind::Secret).is_empty());
    assert!(told.names(Kind::ConfigMap).is_empty());
}

#[test]
fn a_main_config_map_waits_for_another_secret_but_not_for_ever() {
    let mut told = configured("redis");
    told.list(Kind::Secret, vec![secret("redis")]);
    let named = |told: &Told| {
        let map = told.mirror.objects().config_map(&Key::new("a", "main")).cloned();
        map.and_then(|map| map.data.clone()).and_then(|mut data| data.remove("limit-shared-secret"))
    };
    told.take(Feed::Applied(map_watch("main"), main_map("new")));
    assert_eq!(told.mirror.take_fetches(), [Key::new("a", "new")]);
    assert_eq!(named(&told).as_deref(), Some("a/redis"), "it is not known yet");
    assert_eq!(told.names(Kind::Secret), ["redis"]);
    told.take(Feed::Fetched(Key::new("a", "new"), Some(secret("new"))));
    assert_eq!(named(&told).as_deref(), Some("a/new"));
    assert_eq!(told.names(Kind::Secret), ["new"]);
    assert_eq!(told.mirror.deadline(), None);
    told.take(Feed::Applied(map_watch("main"), main_map("never")));
    assert_eq!(named(&told).as_deref(), Some("a/new"));
    assert_eq!(told.mirror.deadline(), Some(told.now + HOLD_BACK));
    told.now += HOLD_BACK;
    told.mirror.release(told.now);
    assert_eq!(named(&told).as_deref(), Some("a/never"));
}

/// The main ConfigMap, with one for the headers of requests.
fn main_map_with_headers(headers: &str) -> Box<Seen> {
    let data = [("proxy-set-headers".to_owned(), format!("a/{headers}"))];
    let map =
        ConfigMap { metadata: metadata("main"), data: Some(data.into()), ..Default::default() };
    seen(map)
}

fn list_map(told: &mut Told, name: &str, content: Box<Seen>) {
    told.take(Feed::Restarted(map_watch(name)));
    told.take(Feed::Listed(map_watch(name), content));
    told.take(Feed::Complete(map_watch(name)));
}

#[test]
fn the_config_maps_that_the_main_one_names_are_followed_and_waited_for() {
    let options = Options { configmap: "a/main".parse().ok(), ..Options::default() };
    let watches = KINDS.map(WatchId::All).into_iter().chain([map_watch("main")]);
    let mut told =
        Told { mirror: Mirror::new(options, watches, Arc::default()), now: Instant::now() };
    list_map(&mut told, "main", main_map_with_headers("one"));
    assert_eq!(told.mirror.take_wishes(), [Wish::Follow(Key::new("a", "one"))]);
    told.list(Kind::IngressClass, vec![class()]);
    for kind in [Kind::Ingress, Kind::Service, Kind::Secret] {
        told.list(kind, vec![]);
    }
    assert!(!told.mirror.is_complete(), "nothing is published without the headers");
    list_map(&mut told, "one", map("one"));
    assert!(told.mirror.is_complete());
    assert_eq!(told.names(Kind::ConfigMap), ["main", "one"]);

    told.take(Feed::Applied(map_watch("main"), main_map_with_headers("two")));
    assert_eq!(told.mirror.take_wishes(), [Wish::Follow(Key::new("a", "two"))]);
    assert_eq!(told.names(Kind::ConfigMap), ["main", "one"], "the version before counts");
    list_map(&mut told, "two", map("two"));
    assert_eq!(told.mirror.take_wishes(), [Wish::Forget(Key::new("a", "one"))]);
    assert_eq!(told.names(Kind::ConfigMap), ["main", "two"]);
    told.take(Feed::Deleted(map_watch("main"), Key::new("a", "main")));
    assert!(told.names(Kind::ConfigMap).is_empty());
}
