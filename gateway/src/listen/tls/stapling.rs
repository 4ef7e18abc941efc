//! Shows certificates with what their responders say about them (`enable-ocsp`): the look-up by server name, and around it
//! what is stapled to each of its certificates.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwapOption;
use foldhash::fast::RandomState;
use headgate_config::{CertificateId, Effect, ObjectRef, Verdict};
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Certificates, names::Names};
use crate::{
    ocsp::{Held, Staple, Stapler, now},
    upstream::errand::shown,
};

/// The certificates of a table with what is stapled to them.
#[derive(Debug)]
pub(super) struct Stapling {
    names: Arc<Names>,
    /// By the address of the certificate's content.
    staples: HashMap<usize, Arc<Stapled>, RandomState>,
}

#[derive(Debug)]
struct Stapled {
    id: CertificateId,
    /// As long as this is here nothing else has its address.
    plain: Arc<CertifiedKey>,
    /// Nothing if nobody can be asked.
    staple: Option<Arc<Staple>>,
    made: ArcSwapOption<Made>,
}

/// A certificate together with an answer.
#[derive(Debug)]
struct Made {
    held: Arc<Held>,
    key: Arc<CertifiedKey>,
}

impl Stapling {
    /// For the certificates of a table. What was there for those of the table before is taken over.
    pub(super) fn new(
        names: &Arc<Names>,
        certificates: &Certificates,
        stapler: &Stapler,
        previous: Option<&Self>,
    ) -> Self {
        let staples = certificates.iter().filter_map(|(id, (_, loaded))| {
            let plain = &loaded.as_ref().ok()?.key;
            let known = previous.and_then(|previous| previous.staples.get(&address(plain)));
            let stapled = known.cloned();
            let stapled = stapled.unwrap_or_else(|| Arc::new(Stapled::new(id, plain, stapler)));
            Some((address(plain), stapled))
        });
        Self { names: Arc::clone(names), staples: staples.collect() }
    }

    /// What is wrong with asking, about the Secrets that the certificates come from.
    pub(super) fn conditions(&self) -> Vec<Verdict> {
        let now = now();
        self.staples.values().filter_map(|stapled| stapled.condition(now)).collect()
    }
}

impl Stapled {
    fn new(id: &CertificateId, plain: &Arc<CertifiedKey>, stapler: &Stapler) -> Self {
        let staple = stapler.staple(&plain.cert, &id.0);
        let (id, plain) = (id.clone(), Arc::clone(plain));
        Self { id, plain, staple, made: ArcSwapOption::empty() }
    }

    fn for_handshake(&self) -> Arc<CertifiedKey> {
        let held = self.staple.as_ref().and_then(|staple| staple.for_handshake(now()));
        let Some(held) = held else { return Arc::clone(&self.plain) };
        let made = self.made.load();
        if let Some(made) = made.as_ref().filter(|made| Arc::ptr_eq(&made.held, &held)) {
            return Arc::clone(&made.key);
        }
        let mut key = CertifiedKey::clone(&self.plain);
        key.ocsp = Some(held.der.clone());
        let key = Arc::new(key);
        self.made.store(Some(Arc::new(Made { held, key: Arc::clone(&key) })));
        key
    }

    fn condition(&self, now: i64) -> Option<Verdict> {
        let (url, trouble, has_answer) = self.staple.as_ref()?.trouble(now)?;
        let (namespace, name) = self.id.0.split_once('/').unwrap_or(("", &self.id.0));
        let object =
            ObjectRef { kind: "Secret".into(), namespace: namespace.into(), name: name.into() };
        let url = shown(url);
        let (reason, message) = if trouble.is_revocation() {
            let message = format!(
                "tls.crt: {url} says that the certificate is revoked; clients that ask there refuse it: replace the certificate"
            );
            ("CertificateRevoked", message)
        } else {
            let consequence = match has_answer {
                true => "its last answer is stapled until that ends",
                false => "nothing is stapled",
            };
            let message = format!(
                "enable-ocsp: nothing new is known from {url}, the responder of the certificate in tls.crt: {trouble}; {consequence}: let headgate reach it, or replace the certificate if its responder is gone"
            );
            ("OcspFailed", message)
        };
        Some(Verdict { object, effect: Effect::Warning, reason: reason.into(), message })
    }
}

impl ResolvesServerCert for Stapling {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let plain = self.names.resolve(hello)?;
        Some(match self.staples.get(&address(&plain)) {
            Some(stapled) => stapled.for_handshake(),
            None => plain,
        })
    }
}

fn address(key: &Arc<CertifiedKey>) -> usize {
    Arc::as_ptr(key).addr()
}
