//! Keeps the view at the end of the bus's log: reads pages from where it stands, and takes pushed events that come next.
//! Each offset is applied once, in order; a push that is further ahead, or of another log, only wakes the reading.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{RwLock, RwLockReadGuard};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::bus::LOG_ID;
use crate::event::{Envelope, Event};
use crate::outgoing::{Outgoing, SendError};
use crate::query::view::View;
use crate::settings::BaseUrl;
use crate::trace::TraceContext;

const PAGE: usize = 500;

/// The view and what keeps it up to date.
pub struct Follower {
    events_url: String,
    poll_interval: Duration,
    outgoing: Outgoing,
    state: RwLock<Followed>,
    progress: watch::Sender<Progress>,
    up_to_date: watch::Sender<bool>,
    wake: Notify,
}

#[derive(Default)]
struct Followed {
    progress: Progress,
    view: View,
}

/// How far the view has come.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Progress {
    /// The log that it was read from; `None` before the first page.
    log_id: Option<String>,
    /// The last offset that was applied.
    offset: i64,
}

impl Progress {
    fn includes(&self, log_id: &str, offset: i64) -> bool {
        self.log_id.as_deref() == Some(log_id) && self.offset >= offset
    }
}

/// What a pushed event came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The view includes it.
    Included,
    /// Something before it is missing; reading has been woken.
    Ahead {
        /// The log of the event.
        log_id: String,
        /// Its offset there.
        offset: i64,
    },
}

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("the page is not an array of events: {0}")]
    Page(#[from] serde_json::Error),
    #[error("the bus does not name its log")]
    Nameless,
}

impl Follower {
    /// A follower of the bus at `bus`, and the signal that its view is up to date.
    pub fn new(bus: &BaseUrl, poll_interval: Duration) -> (Self, watch::Receiver<bool>) {
        let (up_to_date, signal) = watch::channel(false);
        let follower = Self {
            events_url: bus.join("/events"),
            poll_interval,
            outgoing: Outgoing::new(),
            state: RwLock::default(),
            progress: watch::Sender::new(Progress::default()),
            up_to_date,
            wake: Notify::new(),
        };
        (follower, signal)
    }

    /// The view, once the end of the log has been seen.
    pub fn view(&self) -> Option<impl Deref<Target = View> + '_> {
        // Locked before the question is asked: a view that is being started over must not be taken for an empty blog.
        let state = self.state.read();
        self.up_to_date.borrow().then(|| RwLockReadGuard::map(state, |state| &state.view))
    }

    /// Takes an event that the bus pushed. One without a place in a log is applied as it is, as in the original.
    pub fn push(&self, log_id: Option<&str>, envelope: Envelope) -> Pushed {
        let mut state = self.state.write();
        let (Some(log_id), Some(offset)) = (log_id, envelope.offset) else {
            apply(&mut state.view, &envelope.kind, envelope.data);
            return Pushed::Included;
        };
        if state.progress.includes(log_id, offset) {
            return Pushed::Included;
        }
        if state.progress.includes(log_id, offset - 1) {
            self.take(&mut state, envelope);
            return Pushed::Included;
        }
        drop(state);
        self.wake.notify_one();
        Pushed::Ahead { log_id: log_id.to_owned(), offset }
    }

    /// Waits until the view includes `offset` of the log `log_id`.
    pub async fn read_up_to(&self, log_id: &str, offset: i64) {
        // The sender lives in `self`, so the only way out is the condition.
        let _ =
            self.progress.subscribe().wait_for(|progress| progress.includes(log_id, offset)).await;
    }

    /// Reads until `stop`: at once when woken, and every poll interval for what nobody pushed here.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        tokio::select! {
            () = self.follow() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn follow(&self) {
        let mut backoff = Backoff::default();
        loop {
            match self.read_to_end().await {
                Ok(()) => {
                    let failures = backoff.reset();
                    if !self.up_to_date.send_replace(true) || failures > 0 {
                        let offset = self.progress.borrow().offset;
                        tracing::info!(service = "query", offset, failures, "view is up to date");
                    }
                    let _ = tokio::time::timeout(self.poll_interval, self.wake.notified()).await;
                }
                Err(error) => {
                    if backoff.is_first() {
                        tracing::warn!(service = "query", bus = self.events_url, %error, "log not readable");
                    }
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// Reads pages until an empty one.
    async fn read_to_end(&self) -> Result<(), FollowError> {
        let context = TraceContext::start();
        loop {
            let after = self.state.read().progress.offset;
            let url = format!("{}?after={after}&limit={PAGE}", self.events_url);
            let answer = self.outgoing.get(&url, &context).await?;
            let log_id = answer.headers.get(LOG_ID).and_then(|value| value.to_str().ok());
            if !self.is_followed(log_id.ok_or(FollowError::Nameless)?, after) {
                continue;
            }
            let page: Vec<Envelope> = serde_json::from_slice(&answer.body)?;
            if page.is_empty() {
                return Ok(());
            }
            self.take_page(page);
        }
    }

    /// Whether a page of `log_id` after `after` continues the view. If not, the view starts over with that log.
    fn is_followed(&self, log_id: &str, after: i64) -> bool {
        let mut state = self.state.write();
        match &state.progress.log_id {
            Some(known) if known == log_id => true,
            None if after == 0 => {
                state.progress.log_id = Some(log_id.to_owned());
                true
            }
            _ => {
                tracing::warn!(service = "query", log_id, "the bus has another log: starting over");
                self.up_to_date.send_replace(false);
                *state = Followed::default();
                state.progress.log_id = Some(log_id.to_owned());
                self.progress.send_replace(state.progress.clone());
                after == 0
            }
        }
    }

    fn take_page(&self, page: Vec<Envelope>) {
        let mut state = self.state.write();
        for envelope in page {
            // A push may have been faster.
            if envelope.offset.is_some_and(|offset| offset > state.progress.offset) {
                self.take(&mut state, envelope);
            }
        }
    }

    fn take(&self, state: &mut Followed, envelope: Envelope) {
        let Some(offset) = envelope.offset else {
            return;
        };
        apply(&mut state.view, &envelope.kind, envelope.data);
        state.progress.offset = offset;
        self.progress.send_replace(state.progress.clone());
    }
}

/// Misfits are logged and passed over: they would stand in the way for ever.
fn apply(view: &mut View, kind: &str, data: Value) {
    match Event::read(kind, data) {
        Ok(Some(event)) => view.apply(event),
        Ok(None) => {}
        Err(error) => tracing::warn!(service = "query", kind, %error, "event ignored"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn follower() -> Follower {
        Follower::new(&"http://127.0.0.1:1".parse().unwrap(), Duration::from_secs(1)).0
    }

    fn post(offset: Option<i64>, id: &str) -> Envelope {
        Envelope {
            offset,
            id: None,
            kind: "PostCreated".into(),
            data: json!({"id": id, "title": "t"}),
        }
    }

    fn posts(follower: &Follower) -> usize {
        serde_json::to_value(&follower.state.read().view).unwrap().as_object().unwrap().len()
    }

    #[test]
    fn a_push_is_taken_only_when_it_comes_next() {
        let follower = follower();
        assert!(matches!(
            follower.push(Some("log"), post(Some(1), "a")),
            Pushed::Ahead { offset: 1, .. }
        ));
        assert!(follower.is_followed("log", 0));
        assert_eq!(follower.push(Some("log"), post(Some(1), "a")), Pushed::Included);
        assert_eq!(follower.push(Some("log"), post(Some(1), "a")), Pushed::Included);
        assert!(matches!(
            follower.push(Some("log"), post(Some(3), "c")),
            Pushed::Ahead { offset: 3, .. }
        ));
        follower.take_page(vec![post(Some(1), "a"), post(Some(2), "b"), post(Some(3), "c")]);
        assert_eq!(follower.push(Some("log"), post(Some(3), "c")), Pushed::Included);
        assert_eq!(posts(&follower), 3);
    }

    #[test]
    fn another_log_starts_the_view_over() {
        let follower = follower();
        assert!(follower.is_followed("old", 0));
        follower.take_page(vec![post(Some(1), "a"), post(Some(2), "b")]);
        assert!(matches!(
            follower.push(Some("new"), post(Some(1), "c")),
            Pushed::Ahead { offset: 1, .. }
        ));
        assert!(
            !follower.is_followed("new", 2),
            "a page after an offset of the old log must not be used"
        );
        assert_eq!((posts(&follower), follower.state.read().progress.offset), (0, 0));
        assert!(follower.is_followed("new", 0));
    }

    #[test]
    fn an_event_without_a_place_in_a_log_is_applied_as_it_is() {
        let follower = follower();
        assert_eq!(follower.push(None, post(None, "a")), Pushed::Included);
        assert_eq!(posts(&follower), 1);
    }

    #[test]
    fn nothing_is_shown_before_the_end_of_the_log_was_seen() {
        let follower = follower();
        assert!(follower.view().is_none());
        follower.up_to_date.send_replace(true);
        assert!(follower.view().is_some());
    }
}
