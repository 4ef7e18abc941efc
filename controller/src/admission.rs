//! The validating webhook without its sockets: AdmissionReview bytes in, a status and bytes out (operations §9).
//!
//! A [`Reviewer`] reads a review on whatever thread it is asked ([`review`]), and has the Ingress judged on the
//! controller's thread, where everything that it is judged by can be seen without a lock ([`check`], in the order of
//! operations §9.2). Whether an Ingress is acceptable is decided by [`translate`](crate::translate); here are the
//! checks that only a review makes, and the words. Where nobody else brings a certificate for the webhook, one is made
//! ([`certificate`]) and kept ([`keep_certificate`]).

pub mod certificate;
mod check;
mod claims;
mod keeper;
mod review;
mod tally;
mod warnings;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    objects::{Key, Objects},
    translate::Translator,
};

use check::Law;
use claims::Claims;
use review::{Asked, Subject};

pub use keeper::{SelfManaged, keep_certificate};
pub use review::Answer;
pub use tally::{IngressReviews, LastReview, Tally};

/// How long a review waits for the controller's thread at most. The API server waits this long by default.
const PATIENCE: Duration = Duration::from_secs(10);
/// Places for Ingresses that wait to be judged. The webhook's server holds no more than this at a time (64 small bodies and
/// 2 large ones); but what nobody waits for any more stays here until the controller's thread comes to it.
const PLACES: usize = 64 + 2 * places(9 << 20);
/// Bytes of a review for each place that it takes.
const PLACE: usize = 256 << 10;

/// What is decided about an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Decision {
    /// Why it may not be as it is.
    refusal: Option<String>,
    /// What its author should know.
    warnings: Vec<String>,
}

impl Decision {
    fn refused(reason: String) -> Self {
        Self { refusal: Some(reason), warnings: Vec::new() }
    }
}

/// A decision with what the metrics tell about it.
#[derive(Debug)]
struct Outcome {
    decision: Decision,
    /// Whether it counts as a check that passed or failed; the reference counts neither objects of others nor refusals
    /// of paths and words.
    counts: Option<bool>,
    /// Served Ingresses, with the new one.
    ingresses: usize,
    /// Ingresses that were looked at, with the new one.
    tested: usize,
    /// Spent on the Ingress itself.
    reading: Duration,
    /// Spent on comparing it with others.
    comparing: Duration,
}

/// An Ingress that waits to be judged.
#[derive(Debug)]
pub struct Case {
    subject: Box<Subject>,
    reply: oneshot::Sender<Outcome>,
    /// Given back when the case is judged or dropped.
    _places: OwnedSemaphorePermit,
}

/// Answers reviews. Cheap to clone.
#[derive(Clone)]
pub struct Reviewer {
    /// Hands a case to the controller's thread, which drops it if it cannot judge.
    submit: Arc<dyn Fn(Case) + Send + Sync>,
    places: Arc<Semaphore>,
    tally: Arc<Tally>,
}

impl fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reviewer")
    }
}

impl Reviewer {
    /// A reviewer whose cases go to whoever calls [`Examiner::examine`].
    pub(crate) fn new(submit: impl Fn(Case) + Send + Sync + 'static) -> Self {
        let places = Arc::new(Semaphore::new(PLACES));
        Self { submit: Arc::new(submit), places, tally: Arc::default() }
    }

    /// Answers one review. Must be called on a runtime with a clock. Takes time in proportion to the body before it
    /// waits for the first time.
    pub async fn review(&self, body: &[u8]) -> Answer {
        let started = Instant::now();
        let review = match review::read(body) {
            Ok(review) => review,
            Err(answer) => return answer,
        };
        match review.asked {
            Asked::Nothing => Answer::decided(&review.uid, &Decision::default()),
            Asked::Undecodable(reason) => Answer::decided(&review.uid, &Decision::refused(reason)),
            Asked::Ingress(subject) => {
                let key = subject.key.clone();
                let Some(places) = self.places(body.len()) else { return Answer::too_many() };
                let Some(outcome) = self.judge(subject, places).await else {
                    return Answer::unavailable();
                };
                let answer = Answer::decided(&review.uid, &outcome.decision);
                self.tally.note(&key, &outcome, started.elapsed(), body.len());
                log(&key, &outcome.decision);
                answer
            }
        }
    }

    /// What the metrics tell about reviews.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Places for a review of this size, if there are any. They are not waited for: what waits takes memory, too.
    fn places(&self, size: usize) -> Option<OwnedSemaphorePermit> {
        // What is larger than everything takes everything.
        let places = u32::try_from(places(size).min(PLACES)).ok()?;
        Arc::clone(&self.places).try_acquire_many_owned(places).ok()
    }

    async fn judge(&self, subject: Box<Subject>, places: OwnedSemaphorePermit) -> Option<Outcome> {
        let (reply, outcome) = oneshot::channel();
        (self.submit)(Case { subject, reply, _places: places });
        tokio::time::timeout(PATIENCE, outcome).await.ok()?.ok()
    }
}

/// The places that a review of so many bytes takes.
const fn places(size: usize) -> usize {
    1 + size / PLACE
}

/// Judges cases, on the controller's thread.
#[derive(Debug, Default)]
pub(crate) struct Examiner {
    /// Made for the first case: without a webhook nobody needs it.
    claims: Option<Claims>,
}

impl Examiner {
    /// Takes note of Ingresses of which another version may be served than before.
    pub fn note(&mut self, ingresses: &BTreeSet<Key>, translator: &Translator) {
        if let Some(claims) = &mut self.claims {
            for key in ingresses {
                claims.replace(key, translator.accepted(key));
            }
        }
    }

    /// Judges a case and answers it.
    pub fn examine(&mut self, case: Case, translator: &Translator, objects: &Objects) {
        // Whoever asked may have gone.
        if case.reply.is_closed() {
            return;
        }
        let claims = self.claims.get_or_insert_with(|| {
            let mut claims = Claims::default();
            for accepted in translator.all_accepted() {
                claims.replace(accepted.key(), Some(accepted));
            }
            claims
        });
        let law = Law { translator, objects, claims };
        let outcome = check::judge(law, &case.subject, &|| !case.reply.is_closed());
        let _ = case.reply.send(outcome);
    }
}

/// Refusals are the author's concern; the log is for whoever asks why.
fn log(key: &Key, decision: &Decision) {
    match &decision.refusal {
        Some(reason) => tracing::info!(ingress = %key, reason, "review: refused"),
        None => tracing::debug!(ingress = %key, "review: accepted"),
    }
}
