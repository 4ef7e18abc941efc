//! Posting events. Whatever goes wrong here disturbs nobody else.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::{api::core::v1::Event, jiff::Timestamp};
use kube::{Api, Client, api::PostParams};
use tokio::time::{sleep, sleep_until};

use super::{
    draft::Draft,
    held::{Attempt, Held, Refused},
    queue::{Bucket, Queue, TOO_MANY},
};
use crate::{
    clock::now,
    request::{ANSWER_WITHIN, Failure, answer},
};

/// Events that are posted without a pause, and then per second.
const BURST: u32 = 100;
const PER_SECOND: u32 = 20;
/// After a failure, and while new events wait, nothing is tried again sooner: each try may take as long as an answer that
/// does not come.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Posts the events of a queue for ever.
pub async fn post(client: Client, queue: Arc<Queue>) {
    let mut bucket = Bucket::new(BURST, PER_SECOND, now());
    let mut agenda = Agenda { queue: &queue, held: Held::default(), try_again_at: now() };
    loop {
        let attempt = agenda.next().await;
        while let Some(pause) = bucket.take(now()) {
            sleep(pause).await;
        }
        post_one(&client, attempt, &mut agenda).await;
    }
}

/// Which event is posted next.
struct Agenda<'a> {
    queue: &'a Queue,
    held: Held,
    /// When something is tried again although new events wait.
    try_again_at: Instant,
}

impl Agenda<'_> {
    async fn next(&mut self) -> Attempt {
        loop {
            let is_turn = now() >= self.try_again_at;
            if let Some(attempt) = is_turn.then(|| self.held.take(now())).flatten() {
                return attempt;
            }
            if let Some(draft) = self.queue.pop() {
                let attempt = Attempt { draft, at: Timestamp::now() };
                if !self.held.holds(attempt.draft.namespace(), now()) {
                    return attempt;
                }
                if !self.held.push(attempt) {
                    self.queue.lose(TOO_MANY);
                }
                continue;
            }
            if let Some(attempt) = self.held.take(now()) {
                return attempt;
            }
            let due = self.held.next_due();
            tokio::select! {
                () = self.queue.filled() => {}
                () = reached(due) => {}
            }
        }
    }

    fn failed(&mut self, attempt: Attempt) {
        self.try_again_at = now() + TRY_AGAIN_AFTER;
        if !self.held.failed(attempt, now()) {
            self.queue.lose(TOO_MANY);
        }
    }

    fn refused(&mut self, attempt: Attempt, failure: &Failure) {
        self.try_again_at = now() + TRY_AGAIN_AFTER;
        match self.held.refused(attempt, now()) {
            Refused::Held => {}
            Refused::NoRoom => self.queue.lose(TOO_MANY),
            Refused::Finally(draft) => lose(self.queue, &draft, failure),
        }
    }
}

fn lose(queue: &Queue, draft: &Draft, failure: &Failure) {
    tracing::debug!(object = %draft.object, reason = draft.reason, %failure, "an event is refused");
    queue.lose(&format!("it is refused: {failure}"));
}

async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}

/// Posts one event, or tries to. It is tried again later only if that may help.
async fn post_one(client: &Client, attempt: Attempt, agenda: &mut Agenda<'_>) {
    let Attempt { draft, at } = &attempt;
    let events: Api<Event> = Api::namespaced(client.clone(), draft.namespace());
    let (event, params) = (draft.event(*at), PostParams::default());
    match answer(ANSWER_WITHIN, events.create(&params, &event)).await {
        Ok(_) => tracing::debug!(object = %draft.object, reason = draft.reason, "event posted"),
        // Another replica, or this one before it was restarted, has said the same.
        Err(failure) if failure.is_conflict() => {}
        Err(failure) if failure.is_passing() => {
            tracing::debug!(object = %draft.object, %failure, "an event waits for the API server");
            return agenda.failed(attempt);
        }
        // A server that has just started refuses what it allows a moment later.
        Err(failure) if failure.is_forbidden() && !failure.is_namespace_terminating() => {
            return agenda.refused(attempt, &failure);
        }
        // For good: the namespace is gone or being deleted, or an event may not be like this.
        Err(failure) => lose(agenda.queue, draft, &failure),
    }
    agenda.held.answered(draft.namespace(), now());
}

#[cfg(test)]
mod tests;
