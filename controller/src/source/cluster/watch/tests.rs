use futures_util::FutureExt;

use super::*;
use crate::request::mock::Server;

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
