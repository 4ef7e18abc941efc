//! Counts wrong digests by the client's address: who is wrong too often is not listened to for a while
//! (annotations §3.6).

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
};

use parking_lot::Mutex;

use crate::clock::TICK;

/// So many failures are one too many.
const MAX_FAILURES: u32 = 5;
/// Ticks for which they count, from the last one on.
const TICKS: u32 = 300 * 1000 / TICK.as_millis() as u32;
/// Clients that are remembered.
const MAX_CLIENTS: usize = 16 * 1024;

/// Who was wrong, how often.
#[derive(Default)]
pub struct Failures {
    hasher: RandomState,
    clients: Mutex<HashMap<u64, Failed>>,
}

#[derive(Clone, Copy)]
struct Failed {
    times: u32,
    last: u32,
}

impl Failures {
    /// Whether a client is not listened to.
    pub fn ignores(&self, client: IpAddr, realm: &[u8], now: u32) -> bool {
        let clients = self.clients.lock();
        let failed = clients.get(&self.key(client, realm));
        failed.is_some_and(|failed| failed.times >= MAX_FAILURES && failed.counts(now))
    }

    /// Notes that a client was wrong.
    pub fn add(&self, client: IpAddr, realm: &[u8], now: u32) {
        let key = self.key(client, realm);
        let mut clients = self.clients.lock();
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(&key) {
            clients.retain(|_, failed| failed.counts(now));
            if clients.len() >= MAX_CLIENTS {
                // A flood from very many addresses: half of them are forgotten, of which most were wrong once.
                let mut odd = false;
                clients.retain(|_, failed| {
                    odd = !odd;
                    odd || failed.times >= MAX_FAILURES
                });
                if clients.len() >= MAX_CLIENTS {
                    clients.clear();
                }
            }
        }
        let failed = clients.entry(key).or_insert(Failed { times: 0, last: now });
        failed.times = if failed.counts(now) { failed.times.saturating_add(1) } else { 1 };
        failed.last = now;
    }

    /// Notes that a client was right.
    pub fn forget(&self, client: IpAddr, realm: &[u8]) {
        let key = self.key(client, realm);
        let mut clients = self.clients.lock();
        if !clients.is_empty() {
            clients.remove(&key);
        }
    }

    /// A client may have all of the last 64 bits of an IPv6 address.
    fn key(&self, client: IpAddr, realm: &[u8]) -> u64 {
        let client = match client.to_canonical() {
            IpAddr::V6(address) => (address.to_bits() >> 64) << 64,
            IpAddr::V4(address) => u128::from(address.to_bits()),
        };
        self.hasher.hash_one((client, realm))
    }
}

impl Failed {
    fn counts(&self, now: u32) -> bool {
        now.saturating_sub(self.last) < TICKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn five_failures_are_too_many_until_their_time_has_passed() {
        let failures = Failures::default();
        let (client, realm) = (ip("192.0.2.1"), &b"r"[..]);
        for now in 10..14 {
            failures.add(client, realm, now);
            assert!(!failures.ignores(client, realm, now));
        }
        failures.add(client, realm, 14);
        assert!(failures.ignores(client, realm, 13 + TICKS));
        assert!(!failures.ignores(client, realm, 14 + TICKS));
        assert!(
            !failures.ignores(client, b"other", 15)
                && !failures.ignores(ip("192.0.2.2"), realm, 15)
        );
        failures.add(client, realm, 14 + TICKS);
        assert!(!failures.ignores(client, realm, 14 + TICKS), "it counts from one again");
    }

    #[test]
    fn who_was_right_begins_anew() {
        let failures = Failures::default();
        let client = ip("2001:db8::1");
        (0..4).for_each(|now| failures.add(client, b"r", now));
        failures.forget(client, b"r");
        failures.add(client, b"r", 5);
        assert!(!failures.ignores(client, b"r", 5));
        (0..5).for_each(|n| failures.add(ip(&format!("2001:db8::{n}")), b"r", 6));
        assert!(failures.ignores(ip("2001:db8::ffff"), b"r", 6), "one network is one client");
    }

    #[test]
    fn very_many_clients_take_bounded_room() {
        let failures = Failures::default();
        for n in 0..3 * MAX_CLIENTS as u32 {
            failures.add(IpAddr::V4(n.into()), b"r", 1);
        }
        assert!(failures.clients.lock().len() <= MAX_CLIENTS);
    }
}
