//! Which certificate answers which server name (routing §8).
//!
//! Secrets are read as far as a host or the default certificate refers to them. One that cannot be read any more keeps
//! its last good certificate; one that is gone does not.

mod key;
pub mod secret;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use headgate_config::{
    Certificate, CertificateId, Effect, Host, HostPattern, ObjectRef, TlsTable, Verdict,
};

use super::{
    hosts::HostTable,
    ingress::{Accepted, DEFAULT_HOST},
};
use crate::{
    objects::{Key, Kind, Objects, Tls},
    options::Options,
};

/// The certificates of all hosts, and what they were chosen from.
#[derive(Debug, Default)]
pub struct TlsState {
    secrets: BTreeMap<Key, Loaded>,
    /// The choice of every host that has a certificate.
    choices: BTreeMap<String, Choice>,
    verdicts: Vec<Verdict>,
}

/// A Secret that something refers to.
#[derive(Debug, Default)]
struct Loaded {
    is_there: bool,
    /// The last good certificate.
    good: Option<secret::Good>,
    /// Why the newest version is not good.
    fault: Option<String>,
}

/// The certificate of a host.
#[derive(Debug, Default, PartialEq)]
struct Choice {
    /// The Secrets that were looked at; the last is the one that was chosen, if any.
    consulted: Vec<Key>,
    /// `None` is the default certificate.
    certificate: Option<CertificateId>,
    /// Who names the Secrets.
    ingress: Option<ObjectRef>,
    /// Why it is the default certificate although the Ingress names a Secret.
    verdict: Option<Verdict>,
    /// Aliases that the certificate covers.
    aliases: Vec<String>,
}

/// Where certificates come from, and who wants them.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Start-up options.
    pub options: &'a Options,
    /// Secrets.
    pub objects: &'a Objects,
    /// All hosts, up to date.
    pub hosts: &'a HostTable,
    /// The Secret of the default certificate.
    pub default: Option<&'a Key>,
}

impl TlsState {
    /// Chooses again for these hosts, and for those that one of these Secrets matters to. Returns the new table if it may
    /// be another than before.
    pub fn refresh(
        &mut self,
        source: Source<'_>,
        names: &BTreeSet<String>,
        secrets: &BTreeSet<Key>,
    ) -> Option<TlsTable> {
        let reloaded: BTreeSet<_> =
            secrets.iter().filter(|key| self.secrets.contains_key(key)).collect();
        for key in &reloaded {
            self.load(source, key);
        }
        let mut changed = !reloaded.is_empty();
        if let Some(key) = source.default.filter(|key| !self.secrets.contains_key(key)) {
            self.load(source, key);
            changed = true;
        }
        let is_default = source.default.is_some_and(|key| reloaded.contains(key));
        let is_concerned = |choice: &Choice| {
            is_default || choice.consulted.iter().any(|key| reloaded.contains(key))
        };
        // Endpoints change often, and there may be many names.
        let choices = (!reloaded.is_empty()).then_some(&self.choices).into_iter().flatten();
        let concerned = choices.filter(|(_, choice)| is_concerned(choice)).map(|(name, _)| name);
        for name in concerned.chain(names).cloned().collect::<BTreeSet<_>>() {
            let choice = source
                .hosts
                .get(&name)
                .and_then(|(host, ingresses)| self.choose(source, host, ingresses));
            changed |= self.choices.get(&name) != choice.as_ref();
            match choice {
                Some(choice) => drop(self.choices.insert(name, choice)),
                None => drop(self.choices.remove(&name)),
            }
        }
        changed.then(|| {
            self.forget_unused(source);
            self.collect_verdicts(source.default);
            self.table(source.default)
        })
    }

    /// Findings about Secrets, and about Ingresses that name one in vain.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter()
    }

    /// The first Ingress of the host that has any TLS entry decides (routing §8.1).
    fn choose(
        &mut self,
        source: Source<'_>,
        host: &Host,
        ingresses: &[Arc<Accepted>],
    ) -> Option<Choice> {
        if host.name == DEFAULT_HOST {
            return None;
        }
        let ingress = ingresses.iter().find(|ingress| !ingress.ingress.tls.is_empty())?;
        let mut choice = Choice { ingress: Some(ingress.reference()), ..Choice::default() };
        let tls: &[Tls] = &ingress.ingress.tls;
        let lists_host =
            |tls: &&Tls| tls.hosts.iter().any(|listed| listed.eq_ignore_ascii_case(&host.name));
        let named = tls.iter().find(lists_host);
        for tls in named.map_or(tls, std::slice::from_ref) {
            if tls.secret.is_empty() {
                continue;
            }
            let key = Key::new(ingress.key().namespace(), &tls.secret);
            choice.consulted.push(key.clone());
            let Some(good) = self.certificate(source, &key) else { continue };
            if named.is_some() && good.covers(&host.name) || good.names_in_san(&host.name) {
                choice.certificate = Some(good.certificate.id.clone());
                break;
            }
            if named.is_some() {
                choice.verdict = Some(mismatch(ingress, &key, good, &host.name));
            }
        }
        let own = choice.certificate.as_ref().and(choice.consulted.last());
        if let Some(good) = own.or(source.default).and_then(|key| self.certificate(source, key)) {
            choice.aliases = host
                .aliases
                .iter()
                .filter_map(alias_name)
                .chain(source.hosts.counterpart(&host.name).map(str::to_owned))
                .filter(|alias| good.covers(alias))
                .collect();
        }
        Some(choice)
    }

    fn certificate(&mut self, source: Source<'_>, key: &Key) -> Option<&secret::Good> {
        if !self.secrets.contains_key(key) {
            self.load(source, key);
        }
        self.secrets.get(key)?.good.as_ref()
    }

    fn load(&mut self, source: Source<'_>, key: &Key) {
        let loaded = self.secrets.entry(key.clone()).or_default();
        match source.objects.secret(key) {
            None => *loaded = Loaded::default(),
            Some(secret) => {
                loaded.is_there = true;
                match secret::read(key, secret, source.options.certificate_check) {
                    Ok(good) => {
                        loaded.good = Some(good);
                        loaded.fault = None;
                    }
                    Err(fault) => loaded.fault = Some(fault),
                }
            }
        }
    }

    fn forget_unused(&mut self, source: Source<'_>) {
        let used: BTreeSet<_> = self
            .choices
            .values()
            .flat_map(|choice| &choice.consulted)
            .chain(source.default)
            .collect();
        self.secrets.retain(|key, _| used.contains(key));
    }

    fn table(&self, default: Option<&Key>) -> TlsTable {
        let certificate =
            |key: &Key| Some(self.secrets.get(key)?.good.as_ref()?.certificate.clone());
        let default = default.and_then(certificate);
        let mut table = TlsTable {
            default: default.as_ref().map(|certificate| certificate.id.clone()),
            certificates: default.into_iter().map(by_id).collect(),
            ..TlsTable::default()
        };
        for (name, choice) in &self.choices {
            if let Some(id) = &choice.certificate
                && !table.certificates.contains_key(id)
            {
                table.certificates.extend(certificate(&Key::parse(&id.0)).map(by_id));
            }
            table.names.insert(name.clone(), choice.certificate.clone());
        }
        // A host's own certificate goes before another host's alias.
        for choice in self.choices.values() {
            for alias in &choice.aliases {
                table.names.entry(alias.clone()).or_insert_with(|| choice.certificate.clone());
            }
        }
        table
    }

    /// Whether a Secret that something refers to does not exist.
    pub fn misses(&self, key: &Key) -> bool {
        self.secrets.get(key).is_some_and(|loaded| !loaded.is_there)
    }

    fn collect_verdicts(&mut self, default: Option<&Key>) {
        let faulty = self.secrets.iter().filter_map(|(key, loaded)| {
            let fault = loaded.fault.as_ref()?;
            let instead = if loaded.good.is_some() {
                "the certificate before it stays"
            } else {
                "until it is corrected the default certificate is used instead"
            };
            Some(Verdict {
                object: Kind::Secret.reference(key),
                effect: Effect::Refused,
                reason: "InvalidCertificate".into(),
                message: format!("{fault}; {instead}"),
            })
        });
        let missing = self.choices.iter().flat_map(|(host, choice)| {
            let missing = choice.consulted.iter().filter(|key| self.misses(key));
            missing.filter_map(move |key| Some(not_found(
                choice.ingress.clone()?,
                format!("host {host}: spec.tls names the Secret {key}, which does not exist; create it or correct the name; the default certificate is used instead"),
            )))
        });
        let default = default.filter(|key| self.misses(key)).map(|key| not_found(
            Kind::Secret.reference(key),
            "--default-ssl-certificate names it, but it does not exist; a self-signed certificate is used instead: create it, or correct the flag".into(),
        ));
        let missing = missing.chain(default);
        let mismatches = self.choices.values().filter_map(|choice| choice.verdict.clone());
        self.verdicts = faulty.chain(missing).chain(mismatches).collect();
    }
}

fn not_found(object: ObjectRef, message: String) -> Verdict {
    Verdict { object, effect: Effect::Warning, reason: "SecretNotFound".into(), message }
}

fn mismatch(ingress: &Accepted, key: &Key, good: &secret::Good, host: &str) -> Verdict {
    let names = &good.certificate.names;
    Verdict {
        object: ingress.reference(),
        effect: Effect::Warning,
        reason: "CertificateMismatch".into(),
        message: format!(
            "the certificate of the Secret {key} is for {names:?} and not for the host {host:?}, which gets the default certificate; name another Secret, or have one made for the host"
        ),
    }
}

fn by_id(certificate: Arc<Certificate>) -> (CertificateId, Arc<Certificate>) {
    (certificate.id.clone(), certificate)
}

/// The text that an alias is looked up by; only plain names and `*.x` can be server names.
fn alias_name(alias: &HostPattern) -> Option<String> {
    match alias {
        HostPattern::Exact(name) => Some(name.clone()),
        HostPattern::AnyDepth(parent) => Some(format!("*.{parent}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
