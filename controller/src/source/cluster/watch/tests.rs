use futures_util::FutureExt;
use serde_json::json;

use super::*;
use crate::request::mock::{Fate, Server};

/// Watches of a server that has no objects, which tell `sink`.
fn watches<S: Fn(Feed) + Clone + Send + Sync + 'static>(server: &Server, sink: S) -> Watches<S> {
    let connection = Connection {
        client: server.client(),
        streams_lists: false,
        knows_classes: true,
        zone: None,
    };
    Watches::new(connection, NamespaceScope::All, sink)
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_what_was_started_is_passed_on() {
    let mut watches = watches(&Server::default(), |_| panic!("as asked for"));
    watches.fetch_secret(Key::new("shop", "tls"));
    let end = std::panic::AssertUnwindSafe(watches.next_end()).catch_unwind().await;
    assert_eq!(end.unwrap_err().downcast_ref(), Some(&"as asked for"));
}

#[tokio::test(start_paused = true)]
async fn classes_are_followed_once_they_may_be_listed() {
    const CLASSES: &str = "/apis/networking.k8s.io/v1/ingressclasses";
    let (server, (feeds, told)) = (Server::default(), std::sync::mpsc::channel());
    server.put(&format!("{CLASSES}/nginx"), json!({"metadata": {"name": "nginx"}}));
    server.decide(|_| Fate::Refuse(403));
    let mut watches = watches(&server, move |feed| feeds.send(feed).unwrap());
    watches.follow_classes_when_allowed();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let asked = server.take_log().len();
    assert!((60..=110).contains(&asked), "{asked}");
    assert!(told.try_iter().next().is_none());

    server.decide(|_| Fate::Serve);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let told: Vec<_> = told.try_iter().collect();
    let id = WatchId::All(Kind::IngressClass);
    assert!(
        matches!(&told[..], [Feed::Restarted(_), Feed::Listed(..), Feed::Complete(it)] if *it == id),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_one_task_is_the_end_of_no_other() {
    let mut watches = watches(&Server::default(), |_| {});
    watches.follow(Kind::Service);
    watches.fetch_secret(Key::new("shop", "tls"));
    watches.next_end().await;
    let never = tokio::time::timeout(Duration::from_secs(3600), watches.next_end()).await;
    assert!(never.is_err(), "the watch of Services goes on");
}

#[tokio::test(start_paused = true)]
async fn a_config_map_is_followed_until_it_is_forgotten() {
    let mut watches = watches(&Server::default(), |_| {});
    watches.follow_config_map(&"a/x".parse().unwrap());
    let hour = Duration::from_secs(3600);
    watches.forget_config_map(&Key::new("a", "other"));
    assert!(tokio::time::timeout(hour, watches.next_end()).await.is_err(), "it goes on");
    watches.forget_config_map(&Key::new("a", "x"));
    assert!(tokio::time::timeout(hour, watches.next_end()).await.is_ok());
}
