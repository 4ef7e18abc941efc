//! Facts about posting events.

use headgate_config::ObjectRef;

use super::*;
use crate::{
    events::{
        draft::{Draft, Weight},
        held::FORBIDDEN_TRIES,
    },
    request::mock::{Fate, Server},
    source::cluster::Meta,
};

const EVENTS: &str = "/api/v1/namespaces/a/events";

fn draft(reason: &str) -> Draft {
    draft_in("a", reason)
}

fn draft_in(namespace: &str, reason: &str) -> Draft {
    let (kind, name) = ("Ingress".into(), "i".into());
    Draft {
        object: ObjectRef { kind, namespace: namespace.into(), name },
        meta: Meta::default(),
        content: 1,
        weight: Weight::Warning,
        reason: reason.into(),
        message: "no".into(),
    }
}

async fn run_for(server: &Server, queue: &Arc<Queue>, seconds: u64) {
    let posting = post(server.client(), Arc::clone(queue));
    let _ = tokio::time::timeout(Duration::from_secs(seconds), posting).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_is_not_said_again() {
    let (server, queue) = (Server::default(), Arc::<Queue>::default());
    for reason in ["Once", "Once", "Other"] {
        queue.push(draft(reason));
    }
    run_for(&server, &queue, 1).await;
    queue.push(draft("Once"));
    run_for(&server, &queue, 1).await;
    assert_eq!(server.take_log(), vec![format!("POST {EVENTS}"); 4]);
    let mut reasons: Vec<_> =
        server.objects(EVENTS).iter().map(|event| event["reason"].to_string()).collect();
    reasons.sort();
    assert_eq!(reasons, ["\"Once\"", "\"Other\""]);
    assert_eq!(queue.lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn events_are_posted_no_faster_than_their_rate() {
    let (server, queue) = (Server::default(), Arc::<Queue>::default());
    for number in 0..1000 {
        queue.push(draft(&number.to_string()));
    }
    run_for(&server, &queue, 10).await;
    let posted = server.objects(EVENTS).len();
    assert!((295..=302).contains(&posted), "{posted}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_for() {
    let (server, queue) = (Server::default(), Arc::<Queue>::default());
    server.decide(|_| Fate::Lose);
    queue.push(draft("Late"));
    let back = async {
        sleep(Duration::from_secs(120)).await;
        server.decide(|_| Fate::Serve);
        sleep(Duration::from_secs(25)).await;
        assert_eq!(server.objects(EVENTS).len(), 1);
    };
    tokio::select! {
        () = post(server.client(), Arc::clone(&queue)) => {}
        () = back => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_counted_and_given_up() {
    let refusals = [400, 404, 422].map(Fate::Refuse);
    for fate in refusals.into_iter().chain([Fate::Terminating]) {
        let (server, queue) = (Server::default(), Arc::<Queue>::default());
        server.decide(move |_| fate);
        queue.push(draft("No"));
        run_for(&server, &queue, 60).await;
        assert_eq!((server.take_log().len(), queue.lost()), (1, 1), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_forbidden_is_tried_a_few_times() {
    let (server, queue) = (Server::default(), Arc::<Queue>::default());
    let began = now();
    server.decide(move |_| match now() - began {
        up if up < Duration::from_secs(8) => Fate::Refuse(403),
        _ => Fate::Serve,
    });
    for number in 0..20 {
        queue.push(draft(&number.to_string()));
    }
    run_for(&server, &queue, 60).await;
    assert_eq!((server.objects(EVENTS).len(), queue.lost()), (20, 0));

    // For ever in a namespace, its first event only; the others have one try each.
    server.decide(|_| Fate::Refuse(403));
    server.take_log();
    for number in 20..40 {
        queue.push(draft(&number.to_string()));
    }
    run_for(&server, &queue, 60).await;
    let tries = FORBIDDEN_TRIES as usize + 19;
    assert_eq!((server.take_log().len(), queue.lost()), (tries, 20));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_forbidden_costs_no_other_of_its_namespace() {
    let (server, queue) = (Server::default(), Arc::<Queue>::default());
    let mut first = true;
    // As a webhook may do with the one that comes first, which has a name of its own.
    server.decide(move |_| match std::mem::take(&mut first) {
        true => Fate::Refuse(403),
        false => Fate::Serve,
    });
    for number in 0..20 {
        queue.push(draft(&number.to_string()));
    }
    run_for(&server, &queue, 60).await;
    assert_eq!((server.objects(EVENTS).len(), queue.lost()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    for code in [408, 429, 500, 503] {
        let (server, queue) = (Server::default(), Arc::<Queue>::default());
        let mut tries = 0;
        server.decide(move |_| {
            tries += 1;
            if tries < 4 { Fate::Refuse(code) } else { Fate::Serve }
        });
        queue.push(draft("Late"));
        run_for(&server, &queue, 60).await;
        assert_eq!((server.objects(EVENTS).len(), queue.lost()), (1, 0), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_takes_no_event_holds_up_no_other() {
    for (fate, within) in [(Fate::Refuse(403), 0), (Fate::Refuse(500), 0), (Fate::Lose, 5)] {
        let (server, queue) = (Server::default(), Arc::<Queue>::default());
        server.decide(move |line| if line.contains("/bad/") { fate } else { Fate::Serve });
        for number in 0..20 {
            queue.push(draft_in("bad", &number.to_string()));
            queue.push(draft_in("a", &number.to_string()));
        }
        let began = now();
        let posted = async {
            while server.objects(EVENTS).len() < 20 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = post(server.client(), Arc::clone(&queue)) => {}
            () = posted => {}
        }
        let took = now() - began;
        assert!(took <= Duration::from_millis(within * 1000 + 10), "{fate:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_is_posted_although_new_events_come() {
    let (server, queue) = (Server::default(), Arc::<Queue>::default());
    let began = now();
    server.decide(move |line| match line.contains("/bad/") {
        true if now() - began < Duration::from_secs(60) => Fate::Refuse(500),
        _ => Fate::Serve,
    });
    for number in 0..10 {
        queue.push(draft_in("bad", &number.to_string()));
    }
    let stream = async {
        for number in 0.. {
            // More than may be posted, so that new ones always wait.
            queue.push(draft(&number.to_string()));
            sleep(Duration::from_millis(40)).await;
        }
    };
    tokio::select! {
        () = post(server.client(), Arc::clone(&queue)) => {}
        () = stream => {}
        () = sleep(Duration::from_secs(200)) => {}
    }
    assert_eq!(server.objects("/api/v1/namespaces/bad/events").len(), 10);
}
