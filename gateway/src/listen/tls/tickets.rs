//! Tickets by which clients resume their sessions, where they are wanted (`ssl-session-tickets`): with keys of the process
//! that change, or with one that other replicas have as well (`ssl-session-ticket-key`).

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
    rand,
};
use headgate_config::{TicketKey, TlsSettings};
use rustls::{Error, crypto::aws_lc_rs::Ticketer, server::ProducesTickets};

/// Random bytes in front of a ticket. Each ticket has a key of its own that is derived with them, so that one secret is
/// good for any number of tickets.
const SALT: usize = 32;
const TAG: usize = 16;

/// What makes tickets, if anything does.
pub(super) fn ticketer(settings: &TlsSettings) -> Result<Option<Arc<dyn ProducesTickets>>, Error> {
    if !settings.tickets {
        return Ok(None);
    }
    Ok(Some(match &settings.ticket_key {
        Some(key) => Arc::new(Shared::new(key, settings.session_timeout)),
        None => Ticketer::new()?,
    }))
}

/// Tickets that every process with the same secret can read, until they are too old.
struct Shared {
    secret: Prk,
    lifetime: Duration,
}

impl Shared {
    fn new(key: &TicketKey, lifetime: Duration) -> Self {
        let salt = Salt::new(HKDF_SHA256, b"headgate session ticket");
        Self { secret: salt.extract(key.bytes()), lifetime }
    }

    fn key(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let info = [salt];
        let okm = self.secret.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(okm)))
    }

    fn seal(&self, now: u64, plain: &[u8]) -> Option<Vec<u8>> {
        let mut salt = [0; SALT];
        rand::fill(&mut salt).ok()?;
        let mut sealed = now.to_be_bytes().to_vec();
        sealed.extend_from_slice(plain);
        let key = self.key(&salt)?;
        // The key is used once.
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed).ok()?;
        Some([&salt[..], &sealed].concat())
    }

    fn open(&self, now: u64, ticket: &[u8]) -> Option<Vec<u8>> {
        let (salt, sealed) = ticket.split_at_checked(SALT)?;
        let mut sealed = sealed.to_vec();
        if sealed.len() < TAG {
            return None;
        }
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let plain = self.key(salt)?.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
        let (issued, plain) = plain.split_first_chunk::<8>()?;
        let age = now.checked_sub(u64::from_be_bytes(*issued))?;
        (age < self.lifetime.as_secs()).then(|| plain.to_vec())
    }
}

impl ProducesTickets for Shared {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(now(), plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(now(), ticket)
    }
}

/// The secret is not shown.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(key: &[u8]) -> Shared {
        Shared::new(&TicketKey::new(key), Duration::from_secs(60))
    }

    #[test]
    fn a_ticket_is_read_by_whoever_has_the_key_while_it_is_young() {
        let ticket = shared(&[7; 48]).seal(1000, b"session").unwrap();
        let other = shared(&[7; 48]);
        assert_eq!(other.open(1059, &ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(other.open(1060, &ticket), None, "too old");
        assert_eq!(other.open(999, &ticket), None, "of the future");
        assert_eq!(shared(&[8; 48]).open(1000, &ticket), None, "another key");
        assert!(!ticket.windows(7).any(|bytes| bytes == b"session"));
    }

    #[test]
    fn no_other_bytes_are_a_ticket() {
        let shared = shared(&[7; 80]);
        let ticket = shared.seal(0, b"x").unwrap();
        for length in 0..ticket.len() {
            assert_eq!(shared.open(0, &ticket[..length]), None);
        }
        for at in 0..ticket.len() {
            let mut broken = ticket.clone();
            broken[at] ^= 1;
            assert_eq!(shared.open(0, &broken), None, "byte {at}");
        }
    }
}
