//! What has been made of authorities: once for all hosts that name the same, and kept while one of them does.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{Arc, Weak},
};

use foldhash::fast::RandomState;
use headgate_config::client_certificates::Authorities;
use parking_lot::Mutex;

use super::Trust;

/// All authorities that a table names. It outlives tables, so that connections need not be looked at again because
/// something else of their host has changed.
#[derive(Debug, Default)]
pub struct Trusts {
    hasher: RandomState,
    /// By the hash of what they were made of. Where two have the same, only the later one is shared.
    known: Mutex<HashMap<u64, Weak<Trust>>>,
}

impl Trusts {
    /// What is known of these authorities, or else made of them now.
    ///
    /// # Errors
    ///
    /// What cannot be used ([`Trust::new`]).
    pub fn find(&self, authorities: &Arc<Authorities>) -> Result<Arc<Trust>, String> {
        let Authorities { certificates, revocation_lists } = &**authorities;
        let hash = self.hasher.hash_one((certificates, revocation_lists));
        // Held while lists are read: others that want the same would read them as well.
        let mut known = self.known.lock();
        let found = known.get(&hash).and_then(Weak::upgrade);
        // `Arc`s of one object are equal without a look into it.
        if let Some(trust) = found.filter(|trust| trust.authorities == *authorities) {
            return Ok(trust);
        }
        let trust = Arc::new(Trust::new(authorities)?);
        if known.len() == known.capacity() {
            known.retain(|_, trust| trust.strong_count() > 0);
        }
        known.insert(hash, Arc::downgrade(&trust));
        Ok(trust)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorities(name: &str, lists: &[&[u8]]) -> Arc<Authorities> {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("made");
        let certificates = vec![made.cert.der().to_vec()];
        let revocation_lists = lists.iter().map(|list| list.to_vec()).collect();
        Arc::new(Authorities { certificates, revocation_lists })
    }

    #[test]
    fn equal_authorities_are_one_and_others_are_others() {
        let trusts = Trusts::default();
        let (one, other) = (authorities("a.test", &[]), authorities("b.test", &[]));
        let first = trusts.find(&one).expect("authorities");
        let copy = Arc::new(Authorities::clone(&one));
        assert!(Arc::ptr_eq(&first, &trusts.find(&one).expect("authorities")));
        assert!(Arc::ptr_eq(&first, &trusts.find(&copy).expect("authorities")));
        let second = trusts.find(&other).expect("authorities");
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(second.authorities.certificates == other.certificates);
    }

    #[test]
    fn one_hash_for_two_does_not_make_them_one() {
        let trusts = Trusts::default();
        let (one, other) = (authorities("a.test", &[]), authorities("b.test", &[]));
        let first = trusts.find(&one).expect("authorities");
        let slots = |trusts: &Trusts| trusts.known.lock().keys().copied().collect::<Vec<_>>();
        let second = trusts.find(&other).expect("authorities");
        for slot in slots(&trusts) {
            trusts.known.lock().insert(slot, Arc::downgrade(&first));
        }
        let found = trusts.find(&other).expect("authorities");
        assert_eq!(found.authorities, second.authorities);
    }

    #[test]
    fn authorities_that_nobody_names_any_more_are_forgotten() {
        let trusts = Trusts::default();
        let kept = trusts.find(&authorities("kept.test", &[])).expect("authorities");
        for count in 2..50 {
            let certificates = vec![kept.authorities.certificates[0].clone(); count];
            let others = Authorities { certificates, revocation_lists: Vec::new() };
            drop(trusts.find(&Arc::new(others)).expect("authorities"));
        }
        assert!(trusts.known.lock().len() < 10, "{}", trusts.known.lock().len());
        assert!(Arc::ptr_eq(&kept, &trusts.find(&kept.authorities).expect("authorities")));
    }

    #[test]
    fn what_cannot_be_used_is_told_to_everybody() {
        let trusts = Trusts::default();
        let broken = authorities("a.test", &[b"no list"]);
        assert!(trusts.find(&broken).is_err() && trusts.find(&broken).is_err());
    }
}
