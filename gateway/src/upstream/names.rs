//! Addresses of names that requests ask for as they come: looked up when they are needed, and shared by all workers.
//! A lookup goes on when the request that it was made for has gone.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::resolve::Resolver;

/// An answer holds no longer than this (annotations §3.7).
const LONGEST: Duration = Duration::from_secs(30);
/// An answer whose time is over is used for so much longer, while it is looked up again.
const STALE: Duration = Duration::from_secs(30);
/// A request waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Names that are remembered. What is in a name may come from clients.
const MOST_NAMES: usize = 4096;

/// Addresses of a name; none if it has none.
pub type Addresses = Arc<[IpAddr]>;

/// Names with their addresses.
pub struct Names {
    resolver: Resolver,
    known: Arc<Mutex<HashMap<Box<str>, Known>>>,
}

struct Known {
    addresses: Addresses,
    until: Instant,
    /// Of the lookup that goes on.
    answer: Option<watch::Receiver<Option<Addresses>>>,
}

impl Names {
    /// No names yet.
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver, known: Arc::default() }
    }

    /// The addresses of a name; none if they are not to be had in time.
    pub async fn find(&self, name: &str) -> Addresses {
        let mut answer = match self.known(name, Instant::now()) {
            Ok(addresses) => return addresses,
            Err(answer) => answer,
        };
        let answered = tokio::time::timeout(PATIENCE, answer.wait_for(Option::is_some)).await;
        match answered {
            Ok(Ok(addresses)) => addresses.clone().unwrap_or_default(),
            _ => Addresses::default(),
        }
    }

    /// What is known, or the answer to come.
    fn known(
        &self,
        name: &str,
        now: Instant,
    ) -> Result<Addresses, watch::Receiver<Option<Addresses>>> {
        let mut names = self.known.lock();
        let found = names.get(name);
        if let Some(known) = found.filter(|known| known.until > now) {
            return Ok(Arc::clone(&known.addresses));
        }
        let running = found.and_then(|known| known.answer.clone());
        let running = running.filter(|answer| answer.has_changed().is_ok());
        let stale = found
            .filter(|known| known.until + STALE > now && !known.addresses.is_empty())
            .map(|known| Arc::clone(&known.addresses));
        let answer = running.unwrap_or_else(|| {
            let (sender, receiver) = watch::channel(None);
            if let Some(known) = names.get_mut(name) {
                known.answer = Some(receiver.clone());
            } else if make_room(&mut names, now) {
                let addresses = Addresses::default();
                let known = Known { addresses, until: now, answer: Some(receiver.clone()) };
                names.insert(name.into(), known);
            }
            self.look_up(name, sender);
            receiver
        });
        stale.ok_or(answer)
    }

    fn look_up(&self, name: &str, sender: watch::Sender<Option<Addresses>>) {
        let known = Arc::clone(&self.known);
        let key: Box<str> = name.into();
        // Search domains are not for names that others write: it is complete as it stands.
        let absolute = format!("{}.", name.trim_end_matches('.'));
        self.resolver.look_up(absolute, move |addresses, holds| {
            let addresses: Addresses = addresses.into();
            if let Some(known) = known.lock().get_mut(&key) {
                known.addresses = Arc::clone(&addresses);
                known.until = Instant::now() + holds.min(LONGEST);
                known.answer = None;
            }
            sender.send_replace(Some(addresses));
        });
    }
}

/// Forgets names that are of no use any more, if there are too many; says whether there is room for one.
fn make_room(names: &mut HashMap<Box<str>, Known>, now: Instant) -> bool {
    if names.len() >= MOST_NAMES {
        names.retain(|_, known| known.until > now || known.answer.is_some());
    }
    names.len() < MOST_NAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_its_answer_remembered() {
        let names = Names::new(Resolver::new(tokio::runtime::Handle::current()));
        let found = names.find("localhost").await;
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
        let again = names.known("localhost", Instant::now()).expect("it is known");
        assert!(Arc::ptr_eq(&found, &again));
        let later = Instant::now() + LONGEST + STALE / 2;
        let stale = names.known("localhost", later).expect("it is used a little longer");
        assert!(Arc::ptr_eq(&found, &stale));
        assert!(names.known("localhost", later + STALE).is_err(), "it has to be looked up");
    }

    #[tokio::test]
    async fn names_are_bounded() {
        let mut names = HashMap::new();
        let (now, late) = (Instant::now(), Instant::now() + LONGEST);
        for number in 0..MOST_NAMES {
            let until = if number == 0 { now } else { late };
            let known = Known { addresses: Addresses::default(), until, answer: None };
            names.insert(number.to_string().into(), known);
        }
        assert!(make_room(&mut names, now), "one is over");
        assert_eq!(names.len(), MOST_NAMES - 1);
        let known = Known { addresses: Addresses::default(), until: late, answer: None };
        names.insert("last".into(), known);
        assert!(!make_room(&mut names, now));
    }
}
