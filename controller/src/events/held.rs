//! Events of namespaces that take none at the moment: tried again later, while those of others are posted.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;

use super::{draft::Draft, queue::CAPACITY};

/// Between two tries in the same namespace.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Of all that is held back, so much of one namespace.
const PER_NAMESPACE: usize = 256;
/// How often in a row a namespace may forbid events before that is believed: for some 15 s. A server that has just
/// started forbids what it allows a moment later.
pub const FORBIDDEN_TRIES: u32 = 6;

/// An event on its way.
#[derive(Debug)]
pub struct Attempt {
    /// What is posted.
    pub draft: Draft,
    /// When it was to be posted first.
    pub at: Timestamp,
}

/// Events that are held back. What fails in one namespace, as a webhook may make it, says nothing of the others; what
/// fails in all of them is tried once in each.
#[derive(Debug, Default)]
pub struct Held {
    namespaces: BTreeMap<String, Waiting>,
    count: usize,
}

#[derive(Debug)]
struct Waiting {
    attempts: VecDeque<Attempt>,
    due: Instant,
    /// After the next failure.
    pause: Duration,
    /// How often in a row it has forbidden an event.
    refusals: u32,
}

/// What becomes of an event that is forbidden.
#[derive(Debug)]
pub enum Refused {
    /// It is tried again.
    Held,
    /// It would be, if there was room for it.
    NoRoom,
    /// It is not: its namespace has forbidden events for a while.
    Finally(Draft),
}

impl Held {
    /// Whether events of a namespace are held back: some wait, or it has just failed though there was no room for what
    /// has.
    pub fn holds(&self, namespace: &str, now: Instant) -> bool {
        let waiting = self.namespaces.get(namespace);
        waiting.is_some_and(|waiting| !waiting.attempts.is_empty() || now < waiting.due)
    }

    /// Holds back an event that has failed, and all others of its namespace; `false` if there is no room for it.
    pub fn failed(&mut self, attempt: Attempt, now: Instant) -> bool {
        self.namespace(attempt.draft.namespace(), now).back_off(now);
        self.push(attempt)
    }

    /// Holds back an event that is forbidden, as the next one of its namespace; after a few times it is given back.
    pub fn refused(&mut self, attempt: Attempt, now: Instant) -> Refused {
        let is_full = self.count >= CAPACITY;
        let waiting = self.namespace(attempt.draft.namespace(), now);
        waiting.refusals += 1;
        if waiting.refusals >= FORBIDDEN_TRIES {
            // The others have one try each, until one of them is allowed.
            waiting.due = now;
            if waiting.attempts.is_empty() {
                self.namespaces.remove(attempt.draft.namespace());
            }
            return Refused::Finally(attempt.draft);
        }
        waiting.back_off(now);
        if is_full || !waiting.has_room() {
            return Refused::NoRoom;
        }
        waiting.attempts.push_front(attempt);
        self.count += 1;
        Refused::Held
    }

    fn namespace(&mut self, namespace: &str, now: Instant) -> &mut Waiting {
        // Those that failed when there was no room, and were not heard of again.
        let is_recent = |waiting: &Waiting| now < waiting.due + LONGEST_PAUSE;
        self.namespaces.retain(|name, waiting| {
            name == namespace || !waiting.attempts.is_empty() || is_recent(waiting)
        });
        self.namespaces.entry(namespace.to_owned()).or_insert_with(|| Waiting {
            attempts: VecDeque::new(),
            due: now,
            pause: SHORTEST_PAUSE,
            refusals: 0,
        })
    }

    /// Holds back an event of a namespace that is held; `false` if there is no room for it.
    pub fn push(&mut self, attempt: Attempt) -> bool {
        let waiting = self.namespaces.get_mut(attempt.draft.namespace());
        let has_room = |waiting: &&mut Waiting| self.count < CAPACITY && waiting.has_room();
        let Some(waiting) = waiting.filter(has_room) else { return false };
        waiting.attempts.push_back(attempt);
        self.count += 1;
        true
    }

    /// Notes that a namespace answers: what is held back of it is due.
    pub fn answered(&mut self, namespace: &str, now: Instant) {
        if let Some(waiting) = self.namespaces.get_mut(namespace) {
            waiting.due = now;
            waiting.pause = SHORTEST_PAUSE;
            waiting.refusals = 0;
            if waiting.attempts.is_empty() {
                self.namespaces.remove(namespace);
            }
        }
    }

    /// The namespace whose events are due first, and when.
    fn first(&self) -> Option<(&String, Instant)> {
        let waiting = self.namespaces.iter().filter(|(_, waiting)| !waiting.attempts.is_empty());
        let due = waiting.map(|(namespace, waiting)| (namespace, waiting.due));
        due.min_by_key(|(_, due)| *due)
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.first().map(|(_, due)| due)
    }

    /// An event that is due. It has to be told of by [`Self::failed`] or [`Self::answered`] before the next is taken.
    pub fn take(&mut self, now: Instant) -> Option<Attempt> {
        let (namespace, _) = self.first().filter(|(_, due)| *due <= now)?;
        let namespace = namespace.clone();
        let attempt = self.namespaces.get_mut(&namespace)?.attempts.pop_front()?;
        self.count -= 1;
        Some(attempt)
    }
}

impl Waiting {
    fn has_room(&self) -> bool {
        self.attempts.len() < PER_NAMESPACE
    }

    fn back_off(&mut self, now: Instant) {
        self.due = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::ObjectRef;

    use super::*;
    use crate::{events::draft::Weight, source::cluster::Meta};

    fn attempt(namespace: &str) -> Attempt {
        let (kind, name) = ("Ingress".into(), "i".into());
        let draft = Draft {
            object: ObjectRef { kind, namespace: namespace.into(), name },
            meta: Meta::default(),
            content: 1,
            weight: Weight::Warning,
            reason: "No".into(),
            message: "no".into(),
        };
        Attempt { draft, at: Timestamp::default() }
    }

    /// Fills a namespace; says how many it takes.
    fn fill(held: &mut Held, namespace: &str, now: Instant) -> usize {
        usize::from(held.failed(attempt(namespace), now))
            + (0..CAPACITY).filter(|_| held.push(attempt(namespace))).count()
    }

    /// One that has no room left.
    fn full(now: Instant) -> Held {
        let mut held = Held::default();
        for number in 0..CAPACITY / PER_NAMESPACE {
            fill(&mut held, &number.to_string(), now);
        }
        held
    }

    #[test]
    fn no_namespace_takes_the_room_of_all() {
        let (mut held, now) = (Held::default(), Instant::now());
        assert_eq!(fill(&mut held, "a", now), PER_NAMESPACE);
        assert!(held.failed(attempt("b"), now));
    }

    #[test]
    fn a_namespace_rests_though_there_is_no_room() {
        let now = Instant::now();
        let mut held = full(now);
        assert!(!held.failed(attempt("late"), now));
        assert!(held.holds("late", now));
        let due = now + SHORTEST_PAUSE;
        assert!(!held.holds("late", due), "it may be tried again");
        assert!(!held.failed(attempt("late"), due));
        assert!(held.holds("late", due + SHORTEST_PAUSE), "it rests longer");
        // It is not in the way of those that wait.
        let later = now + LONGEST_PAUSE * 10;
        assert!(held.take(later).is_some());
        held.answered("late", later);
        assert!(!held.holds("late", now));
    }

    #[test]
    fn what_rests_and_is_not_heard_of_again_is_forgotten() {
        let now = Instant::now();
        let mut held = full(now);
        let before = held.namespaces.len();
        assert!(!held.failed(attempt("once"), now));
        assert!(!held.failed(attempt("other"), now + LONGEST_PAUSE * 2));
        assert_eq!(held.namespaces.len(), before + 1);
    }
}
