//! Classes that come, change and go.

use super::*;

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
