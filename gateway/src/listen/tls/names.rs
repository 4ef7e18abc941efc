//! The look-up from server name to certificate (routing §8.3).

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use headgate_config::{CertificateId, TlsTable};
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::self_signed;

/// Certificates by server name. `None` stands for the default certificate.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// All names as they are in the table, wildcards with their `*`.
    exact: HashMap<Box<[u8]>, Option<Arc<CertifiedKey>>, RandomState>,
    /// The wildcards again, without their `*`: `.parent`.
    wildcard: HashMap<Box<[u8]>, Option<Arc<CertifiedKey>>, RandomState>,
    /// `None` is the self-signed certificate.
    default: Option<Arc<CertifiedKey>>,
}

impl Names {
    /// The look-up for a table; `loaded` gives the certificates that can be served.
    pub(super) fn new(
        table: &TlsTable,
        loaded: impl Fn(&CertificateId) -> Option<Arc<CertifiedKey>>,
    ) -> Self {
        let mut names =
            Self { default: table.default.as_ref().and_then(&loaded), ..Self::default() };
        names.exact.reserve(table.names.len());
        for (name, id) in &table.names {
            let certificate = id.as_ref().and_then(&loaded);
            if let Some(parent) = name.strip_prefix('*').filter(|parent| parent.starts_with('.')) {
                let parent = parent.as_bytes().into();
                names.wildcard.insert(parent, certificate.clone());
            }
            names.exact.insert(name.as_bytes().into(), certificate);
        }
        names
    }

    /// Whether the self-signed certificate is never served, because there is a default one.
    pub(super) fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// Whether the self-signed certificate is served to clients who ask for this server name.
    pub(super) fn lacks(&self, server_name: Option<&str>) -> bool {
        !self.has_default() && self.own(server_name).is_none()
    }

    #[inline]
    pub(super) fn has(&self, name: &[u8]) -> bool {
        !self.exact.is_empty() && self.find(name).is_some()
    }

    /// The entry of the name itself, or else of the name with its first label replaced by `*`.
    fn find(&self, name: &[u8]) -> Option<&Option<Arc<CertifiedKey>>> {
        self.exact.get(name).or_else(|| {
            let label = memchr::memchr(b'.', name).filter(|length| *length > 0)?;
            self.wildcard.get(&name[label..])
        })
    }

    /// The certificate for a server name in the form in which clients send it.
    fn certificate(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.own(server_name).or_else(|| self.default.clone()).or_else(self_signed::certificate)
    }

    /// The certificate of the name itself.
    fn own(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = server_name?.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        self.find(name.as_bytes())?.clone()
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(hello.server_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Names {
        let table = TlsTable {
            names: list.iter().map(|name| ((*name).to_owned(), None)).collect(),
            ..TlsTable::default()
        };
        Names::new(&table, |_| None)
    }

    #[test]
    fn a_name_is_found_exactly_or_by_its_first_label_only() {
        let names = names(&["a.test", "*.b.test", "*"]);
        for (name, found) in [
            ("a.test", true),
            ("x.a.test", false),
            ("x.b.test", true),
            ("b.test", false),
            ("x.y.b.test", false),
            (".b.test", false),
            ("*.b.test", true),
            ("test", false),
            ("", false),
        ] {
            assert_eq!(names.has(name.as_bytes()), found, "{name}");
        }
    }

    #[test]
    fn an_empty_table_has_nothing() {
        assert!(!names(&[]).has(b"a.test"));
    }
}
