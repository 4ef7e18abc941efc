//! Which Ingresses are served, and which addresses their status holds. Filled by the controller's thread, read by
//! whoever writes status.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Address;
use crate::objects::Key;

/// How soon a status is tried again that could not be written, at first.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The Ingresses of the cluster, as far as their status is concerned.
#[derive(Debug, Default)]
pub struct Board {
    entries: Mutex<BTreeMap<Key, Entry>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    is_served: bool,
    published: Arc<[Address]>,
    /// It is not touched before, and how often it could not be written.
    rests_until: Option<Instant>,
    failures: u32,
}

/// The Ingresses whose status is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Now.
    pub due: Vec<Key>,
    /// When the next of the others is.
    pub next: Option<Instant>,
}

impl Board {
    /// Notes what the status of an Ingress holds.
    pub fn set_published(&self, ingress: &Key, addresses: Vec<Address>) {
        let mut entries = self.entries.lock();
        match entries.get_mut(ingress) {
            Some(entry) if *entry.published == *addresses => return,
            Some(entry) => entry.published = addresses.into(),
            None => {
                let entry = Entry { published: addresses.into(), ..Entry::default() };
                entries.insert(ingress.clone(), entry);
            }
        }
        drop(entries);
        self.changed.notify_one();
    }

    /// Notes whether an Ingress is served.
    pub fn set_served(&self, ingress: &Key, is_served: bool) {
        if let Some(entry) = self.entries.lock().get_mut(ingress)
            && std::mem::replace(&mut entry.is_served, is_served) != is_served
        {
            entry.rests_until = None;
            self.changed.notify_one();
        }
    }

    /// Forgets an Ingress that is gone.
    pub fn remove(&self, ingress: &Key) {
        self.entries.lock().remove(ingress);
    }

    /// Waits until anything has changed since this was waited for last.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The served Ingresses whose status does not hold exactly these addresses, which are sorted.
    pub fn outdated(&self, addresses: &[Address], now: Instant) -> Outdated {
        let mut outdated = Outdated::default();
        for (key, entry) in self.entries.lock().iter() {
            if !entry.is_served || *entry.published == *addresses {
                continue;
            }
            match entry.rests_until.filter(|until| *until > now) {
                None => outdated.due.push(key.clone()),
                Some(until) => {
                    outdated.next = Some(outdated.next.map_or(until, |next| next.min(until)));
                }
            }
        }
        outdated
    }

    /// Notes that the status of an Ingress has been written, or was found to be right. It rests for a while then, so
    /// that two writers who do not agree do not fight without a pause.
    pub fn wrote(&self, ingress: &Key, addresses: &Arc<[Address]>, rests_until: Instant) {
        if let Some(entry) = self.entries.lock().get_mut(ingress) {
            entry.published = Arc::clone(addresses);
            entry.rests_until = Some(rests_until);
            entry.failures = 0;
        }
    }

    /// Notes that the status of an Ingress could not be written: it rests longer each time.
    pub fn failed(&self, ingress: &Key, now: Instant, longest: Duration) {
        if let Some(entry) = self.entries.lock().get_mut(ingress) {
            let pause = SHORTEST_PAUSE.saturating_mul(1 << entry.failures.min(16)).min(longest);
            entry.rests_until = Some(now + pause);
            entry.failures += 1;
        }
    }

    /// Ends all rests: other addresses are to be written now.
    pub fn wake(&self) {
        for entry in self.entries.lock().values_mut() {
            entry.rests_until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(board: &Board, wanted: &[Address], now: Instant) -> Vec<String> {
        board.outdated(wanted, now).due.iter().map(Key::to_string).collect()
    }

    fn board(ingresses: &[(&Key, &str)]) -> Board {
        let board = Board::default();
        for (ingress, addresses) in ingresses {
            board.set_published(ingress, Address::list(addresses));
        }
        board
    }

    #[test]
    fn only_served_ingresses_with_other_addresses_are_outdated() {
        let [mine, right, foreign] = ["mine", "right", "foreign"].map(|name| Key::new("a", name));
        let board = board(&[(&mine, ""), (&right, "192.0.2.1"), (&foreign, "")]);
        let (wanted, now) = (Address::list("192.0.2.1"), Instant::now());
        board.set_served(&mine, true);
        board.set_served(&right, true);
        assert_eq!(due(&board, &wanted, now), ["a/mine"]);
        assert_eq!(due(&board, &[], now), ["a/right"]);
        board.remove(&mine);
        assert_eq!(board.outdated(&wanted, now), Outdated::default());
    }

    #[test]
    fn a_status_that_somebody_else_changes_back_is_left_for_a_while() {
        let (key, now) = (Key::new("a", "i"), Instant::now());
        let board = board(&[(&key, "")]);
        board.set_served(&key, true);
        let wanted: Arc<[_]> = Address::list("192.0.2.1").into();
        let later = now + Duration::from_secs(60);
        board.wrote(&key, &wanted, later);
        assert_eq!(board.outdated(&wanted, now), Outdated::default());
        board.set_published(&key, Address::list("192.0.2.66"));
        assert_eq!(board.outdated(&wanted, now), Outdated { due: vec![], next: Some(later) });
        assert_eq!(due(&board, &wanted, later), ["a/i"]);
        board.wake();
        assert_eq!(due(&board, &wanted, now), ["a/i"]);

        board.wrote(&key, &wanted, later);
        board.remove(&key);
        board.set_published(&key, vec![]);
        board.set_served(&key, true);
        assert_eq!(due(&board, &wanted, now), ["a/i"], "a new object of that name");
    }

    #[test]
    fn a_status_that_cannot_be_written_rests_longer_each_time() {
        let (key, now) = (Key::new("a", "i"), Instant::now());
        let board = board(&[(&key, "")]);
        board.set_served(&key, true);
        let wanted = Address::list("192.0.2.1");
        for seconds in [1, 2, 4, 8, 10, 10] {
            board.failed(&key, now, Duration::from_secs(10));
            let next = board.outdated(&wanted, now).next;
            assert_eq!(next, Some(now + Duration::from_secs(seconds)));
        }
    }
}
