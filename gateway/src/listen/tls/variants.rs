//! Configurations of hosts that differ from the others: by their ciphers, or by asking their clients for a certificate.
//! Hosts that differ in the same way share one.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use headgate_config::{HostCiphers, TlsSettings};
use parking_lot::Mutex;
use rustls::ServerConfig;

use super::{client_auth, server};
use crate::client_certificate::trust::Trust;

/// How a host differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant<'a> {
    /// Its ciphers, if they are its own.
    pub(super) ciphers: Option<&'a HostCiphers>,
    /// Whose certificates it asks for, if it does.
    pub(super) trust: Option<&'a Arc<Trust>>,
}

/// Configurations, made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Variants(Mutex<HashMap<Key, Made>>);

/// Ciphers, and the address of the authorities.
type Key = (Option<HostCiphers>, Option<usize>);

#[derive(Debug)]
struct Made {
    /// Whose they are. As long as this is here nothing else has its address.
    trust: Option<Weak<Trust>>,
    config: Arc<ServerConfig>,
}

impl Variants {
    /// The configuration of a variant; all else is as in `plain`, which has to be the same each time.
    pub(super) fn config(
        &self,
        plain: &ServerConfig,
        settings: &TlsSettings,
        variant: Variant<'_>,
    ) -> Arc<ServerConfig> {
        let Variant { ciphers, trust } = variant;
        let key = (ciphers.cloned(), trust.map(|trust| Arc::as_ptr(trust).addr()));
        let mut known = self.0.lock();
        if let Some(made) = known.get(&key) {
            return Arc::clone(&made.config);
        }
        if known.len() == known.capacity() {
            let is_there = |trust: &Weak<Trust>| trust.strong_count() > 0;
            known.retain(|_, made| made.trust.as_ref().is_none_or(is_there));
        }
        let other = ciphers.map(|ciphers| server::with_ciphers(plain, settings, ciphers));
        let config = other.as_ref().unwrap_or(plain);
        let config = match trust {
            None => config.clone(),
            Some(trust) => {
                let ciphers = ciphers.unwrap_or(&settings.ciphers);
                let versions = server::versions(settings.versions, ciphers);
                client_auth::asking(config, versions, trust)
            }
        };
        let config = Arc::new(config);
        let made = Made { trust: trust.map(Arc::downgrade), config: Arc::clone(&config) };
        known.insert(key, made);
        config
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.lock().len()
    }
}
