//! Sessions that clients may resume, for as long as the settings say (`ssl-session-cache`, `ssl-session-timeout`).
//! Shared by all workers; asked once for a handshake.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rustls::server::StoresServerSessions;

/// Sessions that are kept at most; the oldest goes first. About as many as the reference's 10 MB hold.
const MOST: usize = 20_000;

/// The cache.
pub(super) struct SessionCache {
    lifetime: Duration,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    by_key: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    /// Keys in the order in which they came, perhaps of sessions that are gone.
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl SessionCache {
    /// An empty cache whose sessions hold for `lifetime`.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, sessions: Mutex::default() }
    }

    fn put_at(&self, now: Instant, key: Vec<u8>, value: Vec<u8>) -> bool {
        if self.lifetime.is_zero() {
            return false;
        }
        let mut sessions = self.sessions.lock();
        let Sessions { by_key, order } = &mut *sessions;
        while let Some((since, key)) = order.front() {
            if order.len() < MOST && now.duration_since(*since) < self.lifetime {
                break;
            }
            if by_key.get(key).is_some_and(|(put, _)| put == since) {
                by_key.remove(key);
            }
            order.pop_front();
        }
        order.push_back((now, key.clone()));
        by_key.insert(key, (now, value));
        true
    }

    fn fresh(&self, now: Instant, session: &(Instant, Vec<u8>)) -> bool {
        now.duration_since(session.0) < self.lifetime
    }
}

impl StoresServerSessions for SessionCache {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.put_at(Instant::now(), key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let sessions = self.sessions.lock();
        let session = sessions.by_key.get(key)?;
        self.fresh(Instant::now(), session).then(|| session.1.clone())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let session = self.sessions.lock().by_key.remove(key)?;
        self.fresh(Instant::now(), &session).then_some(session.1)
    }

    fn can_cache(&self) -> bool {
        !self.lifetime.is_zero()
    }
}

/// Sessions are secret.
impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_holds_for_its_time_and_is_forgotten_then() {
        let cache = SessionCache::new(Duration::from_secs(60));
        let now = Instant::now();
        let long_ago = now.checked_sub(Duration::from_secs(61)).unwrap();
        cache.put_at(long_ago, b"old".to_vec(), vec![1]);
        cache.put_at(long_ago, b"again".to_vec(), vec![1]);
        assert_eq!(cache.get(b"old"), None);
        cache.put_at(now, b"again".to_vec(), vec![2]);
        assert_eq!(cache.sessions.lock().by_key.len(), 1);
        assert_eq!(cache.get(b"again"), Some(vec![2]));
        assert_eq!(cache.take(b"again"), Some(vec![2]));
        assert_eq!(cache.take(b"again"), None);
    }

    #[test]
    fn there_are_not_too_many() {
        let cache = SessionCache::new(Duration::from_secs(60));
        let now = Instant::now();
        for number in 0..MOST + 10 {
            cache.put_at(now, number.to_be_bytes().to_vec(), vec![]);
        }
        assert!(cache.sessions.lock().by_key.len() <= MOST);
        assert!(cache.get(&(MOST + 9).to_be_bytes()).is_some());
        assert!(cache.get(&0_usize.to_be_bytes()).is_none());
    }
}
