//! TLS towards clients: which certificate answers which server name, and the `rustls` configuration that a handshake
//! is done with (routing §8). Compiled from a [`TlsTable`]; immutable, so that a handshake sees one table.
//!
//! The acceptor asks the live table for [`TlsState::server_config`] at each handshake. Configurations of successive
//! tables share ticket keys and session cache, and certificates that did not change.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use headgate_config::{Certificate, CertificateId, HostCiphers, TlsTable, Verdict};
use rustls::{ServerConfig, server::ResolvesServerCert};

mod certificate;
mod client_auth;
mod exposition;
mod names;
mod self_signed;
mod server;
mod session;
mod sessions;
mod stapling;
mod tickets;
mod variants;

#[cfg(test)]
mod tests;

pub(crate) use certificate::certified;
pub use certificate::check_certificate;
pub use exposition::write_metrics;
pub use server::Offer;
pub use session::Session;

use crate::{client_certificate::trust::Trust, ocsp::Stapler};
use certificate::Loaded;
use names::Names;
use stapling::Stapling;
use variants::{Variant, Variants};

/// The compiled TLS side of a table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TlsState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Arc<TlsTable>,
    offer: Offer,
    names: Arc<Names>,
    certificates: Certificates,
    /// What the configurations of all tables have in common, made for the first handshake.
    base: Arc<OnceLock<ServerConfig>>,
    config: OnceLock<Arc<ServerConfig>>,
    /// What is stapled to its certificates, if anything is.
    stapling: Option<Arc<Stapling>>,
    /// Like `config`, for hosts that ask their clients for certificates, or have ciphers of their own.
    variants: Variants,
}

/// Everything that was loaded, or refused, with what it was loaded from.
type Certificates = HashMap<CertificateId, (Arc<Certificate>, Result<Arc<Loaded>, String>)>;

impl TlsState {
    /// Compiles `table`. Whatever is the same as in `previous` is taken over from there; the cost of new keys is
    /// that of the changed certificates only. `offer` is what clients
    /// are offered, `stapler` asks what is known about certificates, if that is to be shown.
    pub fn compile(
        table: &Arc<TlsTable>,
        previous: Option<&Self>,
        offer: &Offer,
        stapler: Option<&Stapler>,
    ) -> Self {
        let same_table = previous.filter(|previous| Arc::ptr_eq(&previous.0.table, table));
        let is_same = |previous: &&Self| {
            previous.0.offer == *offer && previous.is_stapled() == stapler.is_some()
        };
        if let Some(same) = same_table.filter(is_same) {
            return same.clone();
        }
        let certificates = load(table, previous);
        let names = match same_table {
            Some(previous) => Arc::clone(&previous.0.names),
            None => Arc::new(Names::new(table, |id| {
                let (_, loaded) = certificates.get(id)?;
                loaded.as_ref().ok().map(|loaded| Arc::clone(&loaded.key))
            })),
        };
        let before = previous.and_then(|previous| previous.0.stapling.as_deref());
        let stapling = stapler.map(|stapler| Stapling::new(&names, &certificates, stapler, before));
        let same_base = previous.filter(|previous| previous.0.offer.tls == offer.tls);
        let base = same_base.map(|previous| Arc::clone(&previous.0.base)).unwrap_or_default();
        Self(Arc::new(Inner {
            table: Arc::clone(table),
            offer: offer.clone(),
            names,
            certificates,
            base,
            config: OnceLock::new(),
            stapling: stapling.map(Arc::new),
            variants: Variants::default(),
        }))
    }

    /// What the next handshake is to be done with.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(self.config())
    }

    /// Whether answers about certificates are shown with them.
    pub(crate) fn is_stapled(&self) -> bool {
        self.0.stapling.is_some()
    }

    /// What is wrong at the moment with asking about certificates.
    pub(crate) fn conditions(&self) -> Vec<Verdict> {
        self.0.stapling.iter().flat_map(|stapling| stapling.conditions()).collect()
    }

    fn config(&self) -> &Arc<ServerConfig> {
        let Inner { base, names, offer, config, stapling, .. } = &*self.0;
        let base = || base.get_or_init(|| server::base(&offer.tls));
        let resolver = || -> Arc<dyn ResolvesServerCert> {
            match stapling {
                Some(stapling) => Arc::clone(stapling) as _,
                None => Arc::clone(names) as _,
            }
        };
        let make = || server::of_table(base(), resolver(), offer.http2);
        config.get_or_init(|| Arc::new(make()))
    }

    /// Whether any handshake can begin at once: no certificate has to be made for it.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.names.has_default() || self_signed::is_made()
    }

    /// Returns when the certificate for this server name is there.
    pub(crate) async fn ready_for(&self, server_name: Option<&str>) {
        if self.0.names.lacks(server_name) {
            self_signed::made().await;
        }
    }

    /// What the next handshake of a host is to be done with: one that has these ciphers, or asks its clients for a
    /// certificate of these authorities.
    pub(crate) fn config_for(
        &self,
        ciphers: Option<&HostCiphers>,
        trust: Option<&Arc<Trust>>,
    ) -> Arc<ServerConfig> {
        match (ciphers, trust) {
            (None, None) => self.server_config(),
            (ciphers, trust) => {
                let variant = Variant { ciphers, trust };
                self.0.variants.config(self.config(), &self.0.offer.tls, variant)
            }
        }
    }

    /// Whether a request host (lower-case, without port and trailing dot) "has a certificate" for the HTTPS redirect
    /// (routing §9.1). A host that is to be served the default certificate has one, too.
    #[inline]
    pub fn has_certificate(&self, routing_host: &[u8]) -> bool {
        self.0.names.has(routing_host)
    }
}

/// Loads the table's certificates, or takes them over.
fn load(table: &TlsTable, previous: Option<&TlsState>) -> Certificates {
    let known = |id: &CertificateId, certificate: &Arc<Certificate>| {
        let (source, loaded) = previous?.0.certificates.get(id)?;
        let same = Arc::ptr_eq(source, certificate) || source == certificate;
        same.then(|| loaded.clone())
    };
    let load = |(id, certificate): (&CertificateId, &Arc<Certificate>)| {
        let loaded = known(id, certificate).unwrap_or_else(|| {
            let loaded = Loaded::new(certificate).map(Arc::new);
            if let Err(reason) = &loaded {
                tracing::warn!(certificate = %id.0, %reason, "certificate is not served");
            }
            loaded
        });
        (id.clone(), (Arc::clone(certificate), loaded))
    };
    table.certificates.iter().map(load).collect()
}
