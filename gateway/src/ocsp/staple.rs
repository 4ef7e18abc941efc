//! What is stapled to one certificate: asked for when its first handshake comes, and kept from then on.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::{sync::Notify, task::AbortHandle};

use super::{
    Means,
    answer::Flaw,
    question::Question,
    refresh::{self, ask},
};
use crate::upstream::errand;

/// An answer that says that a certificate is good.
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    /// It, in DER.
    pub der: Vec<u8>,
    /// When it must not be shown any more, in seconds since 1970.
    pub until: i64,
}

/// Why there is no answer that could be stapled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The responder gave none.
    #[error("{0}")]
    Errand(#[from] errand::Failure),
    /// It gave one that does not count, or is not good.
    #[error("{0}")]
    Answer(#[from] Flaw),
}

impl Trouble {
    /// Whether the certificate was revoked.
    pub fn is_revocation(self) -> bool {
        self == Self::Answer(Flaw::Revoked)
    }
}

/// The answer about one certificate. It is kept up to date until this is dropped, once it has been needed.
pub struct Staple {
    shared: Arc<Shared>,
    means: Arc<Means>,
    task: OnceLock<AbortHandle>,
}

/// What handshakes and the task that asks have in common.
pub struct Shared {
    pub question: Question,
    /// The Secret of the certificate, for the log.
    pub secret: String,
    pub held: ArcSwapOption<Held>,
    /// Somebody was shown the certificate since this was last looked at.
    pub used: AtomicBool,
    /// Told when that happens.
    pub wanted: Notify,
    /// What came of asking last.
    pub trouble: Mutex<Option<Trouble>>,
}

impl Shared {
    /// Nothing is known yet.
    pub fn new(question: Question, secret: &str) -> Self {
        Self {
            question,
            secret: secret.to_owned(),
            held: ArcSwapOption::empty(),
            used: AtomicBool::new(false),
            wanted: Notify::new(),
            trouble: Mutex::new(None),
        }
    }

    /// The answer, if it still holds.
    pub fn current(&self, now: i64) -> Option<Arc<Held>> {
        let held = self.held.load();
        held.as_ref().filter(|held| now < held.until).map(Arc::clone)
    }

    /// Says that the certificate is shown; `true` if that is news.
    pub fn note_use(&self) -> bool {
        let is_news = !self.used.load(Relaxed) && !self.used.swap(true, Relaxed);
        if is_news {
            self.wanted.notify_one();
        }
        is_news
    }
}

impl Staple {
    pub(super) fn new(question: Question, secret: &str, means: Arc<Means>) -> Self {
        let shared = Arc::new(Shared::new(question, secret));
        Self { shared, means, task: OnceLock::new() }
    }

    /// What is to be shown in a handshake that begins now, if there is something. If not, it is asked for.
    pub fn for_handshake(&self, now: i64) -> Option<Arc<Held>> {
        if self.shared.note_use() {
            self.task.get_or_init(|| {
                let (shared, means) = (Arc::clone(&self.shared), Arc::clone(&self.means));
                let asking = Arc::clone(&shared);
                let following = refresh::follow(shared, move || {
                    let (shared, means) = (Arc::clone(&asking), Arc::clone(&means));
                    async move { ask(&shared.question, &means).await }
                });
                self.means.resolver.spawn(following)
            });
        }
        self.shared.current(now)
    }

    /// Where it is asked, and why the last time was in vain, if it was; whether there is an answer all the same.
    pub fn trouble(&self, now: i64) -> Option<(&str, Trouble, bool)> {
        let trouble = (*self.shared.trouble.lock())?;
        Some((&self.shared.question.url, trouble, self.shared.current(now).is_some()))
    }
}

impl Drop for Staple {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Staple {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Staple({})", self.shared.secret)
    }
}
