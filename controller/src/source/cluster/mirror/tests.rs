//! What the mirror holds after what the watches have said.

use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Secret, Service},
        networking::v1::{Ingress, IngressClass, IngressClassSpec, IngressSpec, IngressTLS},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{held_back::HOLD_BACK, *};
use crate::objects::Object;

const KINDS: [Kind; 4] = [Kind::IngressClass, Kind::Ingress, Kind::Service, Kind::Secret];

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: Some("a".into()),
        uid: Some(format!("uid of {name}")),
        ..ObjectMeta::default()
    }
}

fn seen(object: impl Into<Object>) -> Box<Seen> {
    let object = object.into();
    let uid = format!("uid of {}", object.key().name()).into();
    let meta = Meta { uid, ..Meta::default() };
    Box::new(Seen { object, meta, addresses: Vec::new() })
}

fn class() -> Box<Seen> {
    let spec =
        IngressClassSpec { controller: Some("k8s.io/ingress-nginx".into()), parameters: None };
    let metadata = ObjectMeta { name: Some("nginx".into()), ..ObjectMeta::default() };
    seen(IngressClass { metadata, spec: Some(spec) })
}

fn ingress(name: &str, secret: Option<&str>) -> Box<Seen> {
    ingress_of("nginx", name, secret)
}

fn ingress_of(class: &str, name: &str, secret: Option<&str>) -> Box<Seen> {
    let tls =
        secret.map(|secret| vec![IngressTLS { hosts: None, secret_name: Some(secret.into()) }]);
    let spec =
        IngressSpec { ingress_class_name: Some(class.into()), tls, ..IngressSpec::default() };
    seen(Ingress { metadata: metadata(name), spec: Some(spec), status: None })
}

fn secret(name: &str) -> Box<Seen> {
    seen(Secret { metadata: metadata(name), ..Secret::default() })
}

fn service(name: &str) -> Box<Seen> {
    seen(Service { metadata: metadata(name), ..Service::default() })
}

struct Told {
    mirror: Mirror,
    now: Instant,
}

impl Told {
    fn new(options: Options) -> Self {
        let watches = KINDS.map(WatchId::All);
        Self { mirror: Mirror::new(options, watches, Arc::default()), now: Instant::now() }
    }

    /// With a class and nothing else.
    fn synced() -> Self {
        let mut told = Self::new(Options::default());
        told.list(Kind::IngressClass, vec![class()]);
        for kind in [Kind::Ingress, Kind::Service, Kind::Secret] {
            told.list(kind, vec![]);
        }
        assert!(told.mirror.is_complete());
        told
    }

    fn list(&mut self, kind: Kind, objects: impl IntoIterator<Item = Box<Seen>>) {
        let id = WatchId::All(kind);
        self.take(Feed::Restarted(id.clone()));
        for object in objects {
            self.take(Feed::Listed(id.clone(), object));
        }
        self.take(Feed::Complete(id));
    }

    fn apply(&mut self, object: Box<Seen>) {
        self.take(Feed::Applied(WatchId::All(object.object.kind()), object));
    }

    fn delete(&mut self, kind: Kind, key: Key) {
        self.take(Feed::Deleted(WatchId::All(kind), key));
    }

    fn take(&mut self, feed: Feed) {
        self.mirror.take(feed, self.now);
        self.mirror.release(self.now);
    }

    /// As if the newest version was served, or none if it is gone.
    fn settle(&mut self, name: &str) {
        let key = Key::new("a", name);
        let served = self.mirror.objects.ingresses().get(&key).cloned();
        self.mirror.settle(&key, served.as_deref());
    }

    fn names(&self, kind: Kind) -> Vec<String> {
        self.mirror.objects.keys(kind).map(|key| key.name().to_owned()).collect()
    }
}

#[test]
fn it_is_complete_when_every_list_is() {
    let mut told = Told::new(Options::default());
    for kind in [Kind::Service, Kind::Ingress, Kind::IngressClass] {
        assert!(!told.mirror.knows_ingresses());
        told.list(kind, vec![]);
        assert!(!told.mirror.is_complete());
    }
    assert!(told.mirror.knows_ingresses());
    told.list(Kind::Secret, vec![]);
    assert!(told.mirror.is_complete());
}

#[test]
fn a_list_that_is_read_again_removes_nothing_before_it_is_complete() {
    let mut told = Told::synced();
    told.apply(service("kept"));
    told.apply(service("gone"));
    let id = WatchId::All(Kind::Service);
    told.take(Feed::Restarted(id.clone()));
    told.take(Feed::Listed(id.clone(), service("kept")));
    assert_eq!(told.names(Kind::Service), ["gone", "kept"]);
    // The connection breaks, and the list begins anew.
    let reason = "reset".into();
    told.take(Feed::Interrupted { watch: id.clone(), reason, is_refusal: false });
    told.take(Feed::Restarted(id.clone()));
    told.take(Feed::Listed(id.clone(), service("kept")));
    told.take(Feed::Listed(id.clone(), service("new")));
    assert_eq!(told.names(Kind::Service), ["gone", "kept", "new"]);
    told.take(Feed::Complete(id));
    assert_eq!(told.names(Kind::Service), ["kept", "new"]);
    assert!(told.mirror.is_complete());
}

#[test]
fn of_the_secrets_only_those_that_own_ingresses_name_are_kept() {
    let mut told = Told::new(Options {
        default_ssl_certificate: Some("a/default".parse().unwrap()),
        ..Options::default()
    });
    let ingresses = vec![ingress("i", Some("named")), ingress_of("other", "f", Some("foreign"))];
    told.list(Kind::Ingress, ingresses);
    told.list(Kind::Service, vec![]);
    told.list(Kind::IngressClass, vec![class()]);
    let secrets = ["default", "foreign", "named", "unrelated"].map(secret);
    told.list(Kind::Secret, secrets);
    assert_eq!(told.names(Kind::Secret), ["default", "named"]);
    told.apply(secret("unrelated"));
    assert_eq!(told.names(Kind::Secret), ["default", "named"]);

    told.delete(Kind::Ingress, Key::new("a", "i"));
    assert_eq!(told.names(Kind::Secret), ["default", "named"]);
    told.settle("i");
    assert_eq!(told.names(Kind::Secret), ["default"]);
    assert_eq!(told.mirror.meta(Kind::Secret, &Key::new("a", "named")), None);
}

#[test]
fn an_ingress_waits_for_the_secret_that_it_names() {
    let mut told = Told::synced();
    told.apply(ingress("i", None));
    told.apply(ingress("i", Some("s")));
    assert_eq!(told.mirror.take_fetches(), [Key::new("a", "s")]);
    let served = |told: &Told| told.mirror.objects.ingresses()[&Key::new("a", "i")].tls.len();
    assert_eq!(served(&told), 0, "the version before stays");
    told.take(Feed::Fetched(Key::new("a", "s"), Some(secret("s"))));
    assert_eq!(served(&told), 1);
    assert_eq!(told.names(Kind::Secret), ["s"]);

    // A further one that names it does not wait.
    told.apply(ingress("j", Some("s")));
    assert_eq!(told.names(Kind::Ingress), ["i", "j"]);
    assert!(told.mirror.take_fetches().is_empty());
}

#[test]
fn another_name_of_the_secret_does_not_take_the_served_one_away() {
    let mut told = Told::synced();
    told.apply(ingress("i", Some("old")));
    told.take(Feed::Fetched(Key::new("a", "old"), Some(secret("old"))));
    told.settle("i");
    told.apply(ingress("i", Some("new")));
    told.settle("i");
    assert_eq!(told.names(Kind::Secret), ["old"], "while it waits for the new one");
    told.take(Feed::Fetched(Key::new("a", "new"), Some(secret("new"))));
    assert_eq!(told.names(Kind::Secret), ["new", "old"]);
    told.settle("i");
    assert_eq!(told.names(Kind::Secret), ["new"]);
}

#[test]
fn what_a_refused_version_names_does_not_take_the_served_one_s_secret_away() {
    let mut told = Told::synced();
    let served = ingress("i", Some("old"));
    let Body::Ingress(object) = served.object.body().clone() else { panic!("no Ingress") };
    told.apply(served);
    told.take(Feed::Fetched(Key::new("a", "old"), Some(secret("old"))));
    told.apply(ingress("i", Some("new")));
    told.take(Feed::Fetched(Key::new("a", "new"), None));
    told.mirror.settle(&Key::new("a", "i"), Some(&object));
    assert_eq!(told.names(Kind::Secret), ["old"]);
}

#[test]
fn an_ingress_may_come_while_the_secrets_are_listed() {
    for fetched_first in [true, false] {
        let mut told = Told::new(Options::default());
        told.list(Kind::IngressClass, vec![class()]);
        told.list(Kind::Ingress, vec![]);
        told.list(Kind::Service, vec![]);
        let (id, key) = (WatchId::All(Kind::Secret), Key::new("a", "s"));
        told.take(Feed::Restarted(id.clone()));
        told.take(Feed::Listed(id.clone(), secret("s")));
        told.apply(ingress("i", Some("s")));
        assert_eq!(told.mirror.take_fetches(), [key.clone()]);
        let fetched = Feed::Fetched(key, Some(secret("s")));
        let complete = Feed::Complete(id);
        let (first, second) = if fetched_first { (fetched, complete) } else { (complete, fetched) };
        told.take(first);
        told.take(second);
        assert_eq!(told.names(Kind::Secret), ["s"], "{fetched_first}");
        assert_eq!(told.names(Kind::Ingress), ["i"]);
    }
}

#[test]
fn what_could_not_be_fetched_is_fetched_again_as_long_as_anybody_asks() {
    let mut told = Told::synced();
    let key = Key::new("a", "s");
    told.apply(ingress("i", Some("s")));
    told.mirror.take_fetches();
    told.take(Feed::NotFetched(key.clone()));
    assert_eq!(told.mirror.take_fetches(), [key.clone()]);
    told.delete(Kind::Ingress, Key::new("a", "i"));
    told.settle("i");
    told.take(Feed::NotFetched(key));
    assert!(told.mirror.take_fetches().is_empty());
}

#[test]
fn the_watch_may_be_quicker_than_the_fetch() {
    let mut told = Told::synced();
    told.apply(ingress("i", Some("s")));
    told.apply(secret("s"));
    assert_eq!(told.names(Kind::Ingress), ["i"]);
    told.delete(Kind::Secret, Key::new("a", "s"));
    told.take(Feed::Fetched(Key::new("a", "s"), Some(secret("s"))));
    assert!(told.names(Kind::Secret).is_empty(), "what was fetched is older");
}

#[test]
fn an_ingress_does_not_wait_for_ever_nor_for_what_does_not_exist() {
    let mut told = Told::synced();
    told.apply(ingress("absent", Some("none")));
    told.apply(ingress("slow", Some("slow")));
    told.take(Feed::Fetched(Key::new("a", "none"), None));
    assert_eq!(told.names(Kind::Ingress), ["absent"]);
    let deadline = told.mirror.deadline().unwrap();
    told.mirror.release(deadline);
    assert_eq!(told.names(Kind::Ingress), ["absent", "slow"]);
    assert_eq!(told.mirror.deadline(), None);
}

#[test]
fn an_ingress_that_waits_may_be_deleted_or_left_out_of_a_list() {
    let mut told = Told::synced();
    told.apply(ingress("deleted", Some("s")));
    told.delete(Kind::Ingress, Key::new("a", "deleted"));
    told.apply(ingress("unlisted", Some("t")));
    told.list(Kind::Ingress, vec![]);
    assert_eq!(told.mirror.deadline(), None);
    told.mirror.release(told.now + HOLD_BACK * 2);
    assert!(told.names(Kind::Ingress).is_empty());
}

#[test]
fn a_class_that_becomes_ours_asks_for_the_secrets_of_its_ingresses() {
    let mut told = Told::synced();
    told.list(Kind::IngressClass, vec![]);
    told.apply(ingress("i", Some("s")));
    assert!(told.mirror.take_fetches().is_empty());
    told.apply(class());
    assert_eq!(told.mirror.take_fetches(), [Key::new("a", "s")]);
    assert!(told.names(Kind::Ingress).is_empty(), "it waits for its Secret");
    told.take(Feed::Fetched(Key::new("a", "s"), Some(secret("s"))));
    assert_eq!(told.names(Kind::Secret), ["s"]);
    assert_eq!(told.names(Kind::Ingress), ["i"]);
    told.delete(Kind::IngressClass, Key::new("", "nginx"));
    told.mirror.settle(&Key::new("a", "i"), None);
    assert!(told.names(Kind::Secret).is_empty());
}

#[test]
fn classes_that_may_be_read_later_count_when_their_list_is_complete() {
    let options = Options { ignore_ingress_class_name: true, ..Options::default() };
    let kinds = [Kind::Ingress, Kind::Service, Kind::Secret];
    let mirror = Mirror::new(options, kinds.map(WatchId::All), Arc::default());
    let mut told = Told { mirror, now: Instant::now() };
    told.list(Kind::Ingress, vec![ingress("i", Some("tls"))]);
    for kind in [Kind::Service, Kind::Secret] {
        told.list(kind, vec![]);
    }
    assert!(told.mirror.is_complete());
    assert_eq!(told.mirror.take_fetches(), []);
    told.take(Feed::Restarted(WatchId::All(Kind::IngressClass)));
    told.take(Feed::Listed(WatchId::All(Kind::IngressClass), class()));
    assert_eq!(told.mirror.take_fetches(), []);
    assert_eq!(told.names(Kind::Ingress), ["i"]);
    told.take(Feed::Complete(WatchId::All(Kind::IngressClass)));
    assert_eq!(told.mirror.take_fetches(), [Key::new("a", "tls")]);
    assert!(told.names(Kind::Ingress).is_empty(), "it waits for its Secret");
    let deadline = told.mirror.deadline().unwrap();
    told.mirror.release(deadline);
    assert_eq!(told.names(Kind::Ingress), ["i"], "but not for ever");
}

#[test]
fn classes_that_change_take_away_nothing_that_was_ours() {
    let mut told = Told::synced();
    told.apply(ingress("served", Some("slow")));
    told.apply(ingress_of("later", "new", Some("slow")));
    told.apply(ingress_of("later", "plain", None));
    let deadline = told.mirror.deadline().unwrap();
    told.mirror.release(deadline);
    assert_eq!(told.names(Kind::Ingress), ["new", "plain", "served"]);
    let spec =
        IngressClassSpec { controller: Some("k8s.io/ingress-nginx".into()), parameters: None };
    let metadata = ObjectMeta { name: Some("later".into()), ..ObjectMeta::default() };
    told.apply(seen(IngressClass { metadata, spec: Some(spec) }));
    assert_eq!(told.names(Kind::Ingress), ["plain", "served"]);
    // A newer version waits no longer than the one before it.
    let deadline = told.mirror.deadline();
    told.now += HOLD_BACK / 2;
    told.apply(ingress_of("later", "new", Some("slow")));
    assert_eq!(told.mirror.deadline(), deadline);
    told.take(Feed::Fetched(Key::new("a", "slow"), Some(secret("slow"))));
    assert_eq!(told.names(Kind::Ingress), ["new", "plain", "served"]);
}

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
