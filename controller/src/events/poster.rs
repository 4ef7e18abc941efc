//! Posting events. Whatever goes wrong here disturbs nobody else.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{api::core::v1::Event, jiff::Timestamp};
use kube::{Api, Client, api::PostParams};
use tokio::time::sleep;

use super::{
    draft::Draft,
    queue::{Bucket, Queue},
};
use crate::{
    clock::now,
    request::{ANSWER_WITHIN, answer},
};

/// Events that are posted without a pause, and then per second.
const BURST: u32 = 100;
const PER_SECOND: u32 = 20;
/// Between two tries to post the same event.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often a refusal for lack of rights is asked about again: a server that has just started refuses what it allows
/// a moment later.
const FORBIDDEN_TRIES: u32 = 4;

/// Posts the events of a queue for ever.
pub async fn post(client: Client, queue: Arc<Queue>) {
    let mut bucket = Bucket::new(BURST, PER_SECOND, now());
    loop {
        let draft = queue.next().await;
        while let Some(pause) = bucket.take(now()) {
            sleep(pause).await;
        }
        post_one(&client, &draft, &queue).await;
    }
}

/// Posts one event; tries until the server has accepted or refused it.
async fn post_one(client: &Client, draft: &Draft, queue: &Queue) {
    let events: Api<Event> = Api::namespaced(client.clone(), draft.namespace());
    let event = draft.event(Timestamp::now());
    let (mut pause, mut forbidden) = (SHORTEST_PAUSE, 0);
    loop {
        let failure =
            match answer(ANSWER_WITHIN, events.create(&PostParams::default(), &event)).await {
                Ok(_) => return,
                // Another replica, or this one before it was restarted, has said the same.
                Err(failure) if failure.is_conflict() => return,
                Err(failure) => failure,
            };
        if failure.is_forbidden() {
            forbidden += 1;
        }
        if !failure.is_passing() && (!failure.is_forbidden() || forbidden > FORBIDDEN_TRIES) {
            tracing::debug!(object = %draft.object, reason = draft.reason, %failure, "an event is refused");
            return queue.lose(&format!("it is refused: {failure}"));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::ObjectRef;

    use super::*;
    use crate::{
        events::draft::Weight,
        request::mock::{Fate, Server},
        source::cluster::Meta,
    };

    const EVENTS: &str = "/api/v1/namespaces/a/events";

    fn draft(reason: &str) -> Draft {
        Draft {
            object: ObjectRef { kind: "Ingress".into(), namespace: "a".into(), name: "i".into() },
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
        for (code, tries) in [(403, 5), (404, 1), (422, 1)] {
            let (server, queue) = (Server::default(), Arc::<Queue>::default());
            server.decide(move |_| Fate::Refuse(code));
            queue.push(draft("No"));
            run_for(&server, &queue, 60).await;
            assert_eq!((server.take_log().len(), queue.lost()), (tries, 1), "{code}");
        }
    }
}
