//! Waiting for the head of an answer (annotations §3.16).

use std::{future::poll_fn, rc::Rc, task::Poll};

use headgate_config::ProxySettings;

use crate::{
    deadline::Deadline,
    error::ProxyError,
    upstream::{
        answer::Asked,
        body::{Progress, Stage},
        h1,
    },
};

/// Waits for the head of an answer. While a body is on its way the upstream's part in its progress counts, not the time.
pub async fn wait(
    asked: &mut impl Asked,
    deadline: &Deadline,
    settings: &ProxySettings,
    progress: Option<&Rc<Progress>>,
) -> Result<h1::Head, ProxyError> {
    let mut unsent = 0;
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = asked.poll_head(cx) {
            return Poll::Ready(outcome);
        }
        let left = asked.unsent();
        if left != std::mem::replace(&mut unsent, left) {
            let limit = if left > 0 { settings.send_timeout } else { settings.read_timeout };
            deadline.reset(limit);
        }
        if let Some(progress) = progress {
            let (limit, passed) = match progress.stage() {
                // The client's turn, which nobody says the end of: looks again later.
                Stage::Reading => (settings.send_timeout, None),
                Stage::Ended => (settings.read_timeout, Some(progress.since().elapsed())),
                _ => (settings.send_timeout, Some(progress.since().elapsed())),
            };
            // Not left to the deadline: that is never over at the moment in which it is set.
            if passed.is_some_and(|passed| passed >= limit) {
                return Poll::Ready(Err(ProxyError::UpstreamTimeout));
            }
            let passed = passed.unwrap_or_default();
            deadline.reset(limit.saturating_sub(passed));
        }
        deadline.poll_expired(cx).map(|()| Err(ProxyError::UpstreamTimeout))
    })
    .await
}
