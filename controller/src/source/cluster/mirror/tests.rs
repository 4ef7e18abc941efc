//! What the mirror holds after what the watches have said.

mod classes;
mod maps;

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
