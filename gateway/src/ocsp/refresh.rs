//! When responders are asked: at the first handshake, and again in time as long as there are handshakes.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::sleep;

use super::{
    Means,
    answer::Answer,
    now,
    question::Question,
    staple::{Held, Shared, Trouble},
};
use crate::upstream::errand::{self, Errand, Place, shown};

/// Limit of asking at one address: what the reference allows for connecting, sending and reading together.
const PATIENCE: Duration = Duration::from_secs(4);
/// A longer answer is none: it would be sent in every handshake.
const MOST_BYTES: usize = 16 * 1024;
/// Time until the next try after the first that was in vain. It doubles with each.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_secs(3600);
/// An answer is asked for again when half of its time is over, within these.
const SOONEST: Duration = Duration::from_secs(10);
const LATEST: Duration = Duration::from_secs(24 * 3600);

/// Asks the responder once.
pub(super) async fn ask(question: &Question, means: &Means) -> Result<Held, Trouble> {
    let _place = means.places.acquire().await;
    let place = Place::parse(&question.url).ok_or(errand::Failure::Url)?;
    let tls = place.tls(&[])?;
    let body = Bytes::from(question.request());
    let errand = Errand {
        body: Some((HeaderValue::from_static("application/ocsp-request"), body)),
        accept: HeaderValue::from_static("application/ocsp-response"),
        most: MOST_BYTES,
        patience: PATIENCE,
    };
    let addresses = place.addresses(&means.names).await;
    let der = errand.run(&place, addresses, tls.as_ref()).await?.body;
    let until = Answer::parse(&der)?.check(question, now())?;
    Ok(Held { der, until })
}

/// Keeps the answer up to date, for ever.
pub(super) async fn follow<F>(shared: Arc<Shared>, ask: impl Fn() -> F)
where
    F: Future<Output = Result<Held, Trouble>>,
{
    let mut failures = 0u32;
    loop {
        let wait = match ask().await {
            Ok(held) => {
                if failures > 0 {
                    tracing::info!(
                        url = shown(&shared.question.url),
                        certificate = shared.secret,
                        "the responder of a certificate answers again"
                    );
                }
                failures = 0;
                let left = u64::try_from(held.until - now()).unwrap_or(0);
                shared.held.store(Some(Arc::new(held)));
                *shared.trouble.lock() = None;
                (Duration::from_secs(left) / 2).clamp(SOONEST, LATEST)
            }
            Err(trouble) => {
                if trouble.is_revocation() {
                    // That it was good before must not be said any more.
                    shared.held.store(None);
                }
                *shared.trouble.lock() = Some(trouble);
                failures = failures.saturating_add(1);
                tell(&shared, trouble, failures);
                pause(failures)
            }
        };
        sleep(wait).await;
        // Nobody needs to know about a certificate that is not shown.
        while !shared.used.swap(false, Relaxed) {
            shared.wanted.notified().await;
        }
    }
}

/// Time until the next try; a little different for each certificate.
fn pause(failures: u32) -> Duration {
    let pause = FIRST_RETRY.saturating_mul(1 << (failures - 1).min(16)).min(LAST_RETRY);
    pause.mul_f32(0.9 + 0.2 * fastrand::f32())
}

/// Says it now and then: at the first time, and when it is twice as often as last said.
fn tell(shared: &Shared, trouble: Trouble, failures: u32) {
    if !failures.is_power_of_two() {
        return;
    }
    let url = shown(&shared.question.url);
    let consequence = match shared.current(now()) {
        Some(_) => "its last answer is stapled until that ends",
        None => "handshakes are made without an answer of it",
    };
    tracing::warn!(
        url, certificate = shared.secret, reason = %trouble, failures, consequence,
        "there is no new answer of the responder of a certificate"
    );
}

#[cfg(test)]
mod tests;
