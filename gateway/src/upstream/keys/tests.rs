use std::{cell::RefCell, rc::Rc};

use super::{fetch::Fetched, *};
use crate::upstream::errand;

const LIFETIME: Duration = Duration::from_secs(300);

fn keys(id: &str) -> KeySet {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let json = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"{x}"}}]}}"#);
    KeySet::parse(json.as_bytes()).unwrap()
}

/// A source whose answers are said by the test, on a paused clock.
struct Source {
    store: Rc<KeyStore>,
    /// The id of the key that it publishes; none is out of order.
    key: Rc<RefCell<Option<&'static str>>>,
    /// How long each fetch takes.
    delay: Rc<RefCell<Duration>>,
    /// When it was asked, since the beginning.
    asked: Rc<RefCell<Vec<u64>>>,
    start: Instant,
}

impl Source {
    fn publishing(key: Option<&'static str>) -> Self {
        let source =
            KeySource { url: "http://i.test/".into(), upstream: None, authorities: Vec::new() };
        let shared = Arc::new(Shared::new(source));
        let key = Rc::new(RefCell::new(key));
        let delay = Rc::new(RefCell::new(Duration::ZERO));
        let asked = Rc::new(RefCell::new(Vec::new()));
        let start = Instant::now();
        let (answer, wait, log) = (Rc::clone(&key), Rc::clone(&delay), Rc::clone(&asked));
        let fetch = move || {
            log.borrow_mut().push(start.elapsed().as_secs());
            let (answer, wait) = (Rc::clone(&answer), *wait.borrow());
            async move {
                tokio::time::sleep(wait).await;
                let key = answer.borrow().ok_or(errand::Failure::Unreachable)?;
                Ok(Fetched { keys: keys(key), lifetime: LIFETIME })
            }
        };
        let following = refresh::follow(Arc::clone(&shared), fetch);
        let task = tokio::task::spawn_local(following).abort_handle();
        Self { store: Rc::new(KeyStore { shared, task }), key, delay, asked, start }
    }

    /// Advances the clock to so many seconds after the beginning.
    async fn at(&self, seconds: u64) {
        tokio::time::sleep_until(self.start + Duration::from_secs(seconds)).await;
    }

    fn publish(&self, key: Option<&'static str>) {
        *self.key.borrow_mut() = key;
    }

    async fn generation(&self) -> Option<u64> {
        self.store.keys().await.map(|held| held.generation)
    }
}

/// Runs a test on a paused clock.
fn paused(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test());
}

#[test]
fn keys_are_there_at_once_and_stay_the_same_while_they_do() {
    paused(async || {
        let source = Source::publishing(Some("1"));
        let first = source.generation().await.expect("it was waited for");
        source.at(310).await;
        assert_eq!(*source.asked.borrow(), [0, 300]);
        assert_eq!(source.generation().await, Some(first));
        source.publish(Some("2"));
        source.at(610).await;
        let held = source.store.keys().await.unwrap();
        assert_ne!(held.generation, first);
        assert_eq!(*held.keys, keys("2"));
    });
}

#[test]
fn without_keys_there_are_none_quickly() {
    paused(async || {
        let source = Source::publishing(None);
        assert_eq!(source.generation().await, None);
        assert_eq!(source.start.elapsed(), Duration::ZERO);
        source.at(40).await;
        assert_eq!(source.generation().await, None);
        assert_eq!(source.start.elapsed().as_secs(), 40);
        assert_eq!(*source.asked.borrow(), [0, 1, 3, 7, 15, 25, 35]);
        source.publish(Some("1"));
        source.at(46).await;
        assert!(source.generation().await.is_some(), "it recovers by itself");
    });
}

#[test]
fn a_request_does_not_wait_long_for_the_first_keys() {
    paused(async || {
        let source = Source::publishing(Some("1"));
        *source.delay.borrow_mut() = Duration::from_secs(4);
        assert_eq!(source.generation().await, None);
        assert_eq!(source.start.elapsed(), FIRST_PATIENCE);
        source.at(5).await;
        assert!(source.generation().await.is_some());
    });
}

#[test]
fn keys_are_used_for_an_hour_while_the_source_is_out_of_order() {
    paused(async || {
        let source = Source::publishing(Some("1"));
        let first = source.generation().await;
        source.publish(None);
        source.at(300 + 3599).await;
        assert_eq!(source.generation().await, first);
        source.at(300 + 3600).await;
        assert_eq!(source.generation().await, None);
        source.publish(Some("1"));
        source.at(300 + 3611).await;
        assert_eq!(source.generation().await, first, "the same keys are the same");
    });
}

#[test]
fn newer_keys_are_looked_for_when_somebody_needs_them() {
    paused(async || {
        let source = Source::publishing(Some("1"));
        let first = source.generation().await.unwrap();
        source.publish(Some("2"));
        source.at(9).await;
        assert!(matches!(source.store.newer(first).await, Newer::None), "it was just asked");
        source.at(60).await;
        let Newer::Keys(held) = source.store.newer(first).await else { panic!("newer keys") };
        assert_eq!(*held.keys, keys("2"));
        assert_eq!(*source.asked.borrow(), [0, 60]);
        // Another request that had the old ones.
        assert!(matches!(source.store.newer(first).await, Newer::Keys(_)));
        assert_eq!(source.asked.borrow().len(), 2);
    });
}

#[test]
fn a_flood_of_unknown_keys_is_one_question_in_ten_seconds() {
    paused(async || {
        let source = Source::publishing(Some("1"));
        let first = source.generation().await.unwrap();
        for second in 1..=60 {
            source.at(second).await;
            for _ in 0..100 {
                assert!(matches!(source.store.newer(first).await, Newer::None));
            }
        }
        assert_eq!(*source.asked.borrow(), [0, 10, 20, 30, 40, 50, 60]);
    });
}

#[test]
fn a_request_does_not_wait_long_for_newer_keys() {
    paused(async || {
        let source = Source::publishing(Some("1"));
        let first = source.generation().await.unwrap();
        *source.delay.borrow_mut() = Duration::from_secs(3);
        source.at(60).await;
        assert!(matches!(source.store.newer(first).await, Newer::Unknown));
        assert_eq!(source.start.elapsed(), Duration::from_secs(60) + NEWER_PATIENCE);
        assert!(matches!(source.store.newer(first).await, Newer::None), "the same fetch");
        assert_eq!(source.start.elapsed(), Duration::from_secs(63));
        source.publish(None);
        source.at(100).await;
        assert!(matches!(source.store.newer(first).await, Newer::Unknown));
        assert_eq!(source.generation().await, Some(first), "the old ones still count");
    });
}

#[tokio::test]
async fn locations_with_the_same_source_share_its_keys() {
    let source = |url: &str, authority: &[u8]| {
        let authorities = vec![authority.to_vec()];
        KeySource { url: url.into(), upstream: None, authorities }
    };
    let metrics = Metrics::new(Default::default());
    let resolver = Resolver::new(tokio::runtime::Handle::current());
    let stores = KeyStores::new(resolver, metrics);
    let first = stores.find(&source("http://127.0.0.1:1/", b"a"), None, None);
    let same = stores.find(&source("http://127.0.0.1:1/", b"a"), None, None);
    let is_same = |one: &KeyUse, other: &KeyUse| Arc::ptr_eq(&one.store, &other.store);
    assert!(is_same(&first, &same));
    let other_url = stores.find(&source("http://127.0.0.1:1/x", b"a"), None, None);
    let other_authority = stores.find(&source("http://127.0.0.1:1/", b"b"), None, None);
    assert!(!is_same(&first, &other_url) && !is_same(&first, &other_authority));
    let task = first.task.clone();
    drop((first, same));
    let ended = async {
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), ended).await.expect("nobody fetches what nobody uses");
    drop(stores.find(&source("http://127.0.0.1:1/", b"a"), None, None));
    assert_eq!(stores.known.lock().len(), 3);
}

#[tokio::test]
async fn a_message_about_a_source_names_those_who_use_it() {
    let stores = KeyStores::new(
        Resolver::new(tokio::runtime::Handle::current()),
        Metrics::new(Default::default()),
    );
    let source =
        KeySource { url: "http://127.0.0.1:1/".into(), upstream: None, authorities: Vec::new() };
    let user = |name: &str| ObjectRef {
        kind: "Ingress".into(),
        namespace: "shop".into(),
        name: name.into(),
    };
    let find = |name| stores.find(&source, None, Some(&user(name)));
    let (b, a, again) = (find("b"), find("a"), find("a"));
    let named = || b.users().to_string();
    assert_eq!(named(), "shop/a, shop/b");
    drop(a);
    assert_eq!(named(), "shop/a, shop/b", "another location is the same Ingress's");
    drop(again);
    assert_eq!(named(), "shop/b");
    let more: Vec<_> = ["c", "d", "e", "f", "g"].map(find).into();
    assert_eq!(named(), "shop/b, shop/c, shop/d, shop/e, shop/f and 1 more");
    drop(more);
}

#[test]
fn what_may_be_secret_of_a_url_is_not_shown() {
    for (url, expected) in [
        ("https://i.test/realms/shop/certs", "https://i.test/realms/shop/certs"),
        ("https://i.test:8443/keys?token=hush", "https://i.test:8443/keys"),
        ("https://u:hush@i.test/keys#hush", "https://i.test/keys"),
        ("https://i.test?hush@x/", "https://i.test"),
        ("nonsense", "nonsense"),
    ] {
        assert_eq!(shown(url), expected, "{url}");
    }
}
