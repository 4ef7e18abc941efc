use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::request::mock::{Fate, Server};

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/ingress/leases/the-leader";
const SECOND: Duration = Duration::from_secs(1);

fn elector(server: &Server, pod: &str) -> (Elector, Arc<Leadership>) {
    let election = Election { id: "the-leader".into(), terms: Terms::new(30 * SECOND) };
    let pod = NamespacedName { namespace: "ingress".into(), name: pod.into() };
    let leadership = Arc::<Leadership>::default();
    (Elector::new(server.client(), &election, &pod, Arc::clone(&leadership)), leadership)
}

fn holder(server: &Server) -> Value {
    server.object(PATH).unwrap()["spec"]["holderIdentity"].clone()
}

/// Elected, and kept so until the task is aborted.
fn keep(mut elector: Elector) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            elector.campaign().await;
            elector.hold().await;
        }
    })
}

async fn until(mut is_true: impl FnMut() -> bool) -> Duration {
    let began = now();
    while !is_true() {
        assert!(now() - began < 600 * SECOND, "it never came true");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    now() - began
}

#[tokio::test(start_paused = true)]
async fn the_first_one_leads_and_renews_every_quarter() {
    let server = Server::default();
    let (first, leads) = elector(&server, "pod-1");
    let first = keep(first);
    until(|| leads.is_leader()).await;
    assert_eq!(holder(&server), "pod-1");
    let lease = server.object(PATH).unwrap();
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 30);
    server.take_log();
    tokio::time::sleep(60 * SECOND).await;
    assert!(leads.is_leader());
    assert_eq!(server.take_log(), vec![format!("PUT {PATH}"); 8]);
    assert_eq!(server.object(PATH).unwrap()["spec"]["leaseTransitions"], 0);
    first.abort();
}

#[tokio::test(start_paused = true)]
async fn the_second_takes_over_when_the_first_has_died() {
    let server = Server::default();
    let ((first, first_leads), (second, second_leads)) =
        (elector(&server, "pod-1"), elector(&server, "pod-2"));
    let first = keep(first);
    until(|| first_leads.is_leader()).await;
    let second = keep(second);
    tokio::time::sleep(120 * SECOND).await;
    assert!(!second_leads.is_leader());

    first.abort();
    let took = until(|| second_leads.is_leader()).await;
    assert!((22 * SECOND..=33 * SECOND).contains(&took), "{took:?}");
    assert!(!first_leads.is_leader());
    assert_eq!(holder(&server), "pod-2");
    assert_eq!(server.object(PATH).unwrap()["spec"]["leaseTransitions"], 1);
    second.abort();
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_over_within_two_seconds() {
    let server = Server::default();
    let ((mut first, first_leads), (second, second_leads)) =
        (elector(&server, "pod-1"), elector(&server, "pod-2"));
    first.campaign().await;
    let second = keep(second);
    tokio::time::sleep(5 * SECOND).await;
    first.release().await;
    assert!(!first_leads.is_leader());
    assert_eq!(holder(&server), Value::Null);
    let took = until(|| second_leads.is_leader()).await;
    assert!(took <= 2 * SECOND + SECOND / 10, "{took:?}");
    second.abort();
}

#[tokio::test(start_paused = true)]
async fn who_loses_a_race_follows() {
    let server = Server::default();
    let stored = server.clone();
    server.decide(move |request| {
        if request.starts_with("POST") && stored.object(PATH).is_none() {
            Fate::Refuse(409)
        } else {
            Fate::Serve
        }
    });
    let (first, first_leads) = elector(&server, "pod-1");
    let first = keep(first);
    tokio::time::sleep(SECOND).await;
    assert!(!first_leads.is_leader());
    server.put(PATH, json!({"spec": {"holderIdentity": "pod-2", "leaseDurationSeconds": 30}}));
    let took = until(|| first_leads.is_leader()).await;
    assert!((29 * SECOND..33 * SECOND).contains(&took), "{took:?}");
    first.abort();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_in_time_and_comes_back() {
    let server = Server::default();
    let (first, leads) = elector(&server, "pod-1");
    let first = keep(first);
    until(|| leads.is_leader()).await;
    server.decide(|_| Fate::Lose);
    let lost = until(|| !leads.is_leader()).await;
    assert!((7 * SECOND..=15 * SECOND).contains(&lost), "{lost:?}");
    server.decide(|_| Fate::Serve);
    let back = until(|| leads.is_leader()).await;
    assert!(back <= 8 * SECOND, "{back:?}");
    first.abort();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_was_done_unheard_does_not_end_the_term() {
    let server = Server::default();
    let (first, leads) = elector(&server, "pod-1");
    let first = keep(first);
    until(|| leads.is_leader()).await;
    let mut puts = 0;
    server.decide(move |request| {
        puts += u32::from(request.starts_with("PUT"));
        if request.starts_with("PUT") && puts == 1 { Fate::Mute } else { Fate::Serve }
    });
    for _ in 0..600 {
        tokio::time::sleep(SECOND / 10).await;
        assert!(leads.is_leader());
    }
    first.abort();
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_taken_away_ends_the_term() {
    let server = Server::default();
    let (first, leads) = elector(&server, "pod-1");
    let first = keep(first);
    until(|| leads.is_leader()).await;
    server.put(PATH, json!({"spec": {"holderIdentity": "pod-2", "leaseDurationSeconds": 30}}));
    let took = until(|| !leads.is_leader()).await;
    assert!(took <= 8 * SECOND, "{took:?}");
    first.abort();
}

#[tokio::test(start_paused = true)]
async fn releasing_ends_in_time_without_an_answer_and_asks_nothing_that_was_never_held() {
    let server = Server::default();
    let (mut second, _) = elector(&server, "pod-2");
    second.release().await;
    assert!(server.take_log().is_empty());

    let (mut first, leads) = elector(&server, "pod-1");
    first.campaign().await;
    server.decide(|_| Fate::Lose);
    let began = now();
    first.release().await;
    assert!(now() - began <= RELEASE_WITHIN);
    assert!(!leads.is_leader());
}
