//! The main ConfigMap: settings of the gateway, defaults of the annotations, restrictions of the Ingresses.
//!
//! A value that makes no sense leaves its key at the default (configmap-and-flags §1); a missing ConfigMap leaves all.
//! Which keys there are is in [`keys`]; which of them have no effect here in [`silent`].

mod keys;
mod silent;
mod value;

use std::sync::Arc;

use headgate_config::{Effect, ObjectRef, Settings, Verdict};
use k8s_openapi::api::core::v1::ConfigMap;

use super::annotations::{Annotations, definition::Risk};
use crate::objects::{Key, Kind};

/// What the main ConfigMap means.
#[derive(Debug)]
pub struct Config {
    /// Settings of the gateway as a whole.
    pub settings: Arc<Settings>,
    /// What the translation of Ingresses needs.
    pub defaults: Arc<Defaults>,
    /// Whether to stand by (`headgate-standby`), if it says so.
    pub standby: Option<bool>,
    /// Findings about the ConfigMap.
    pub verdicts: Vec<Verdict>,
}

/// What applies to Ingresses unless they say otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// Annotations of an Ingress that has none.
    pub plain: Arc<Annotations>,
    /// Annotations of the default host's own `/`.
    pub default_host: Arc<Annotations>,
    /// Retry methods that are not idempotent, whatever the annotation says (`retry-non-idempotent`).
    pub retry_non_idempotent: bool,
    /// Location paths that begin with one of these are never redirected to HTTPS (`no-tls-redirect-locations`).
    pub no_tls_redirect: Vec<String>,
    /// At location paths that begin with one of these nobody is asked who he is (`no-auth-locations`).
    pub no_auth: Vec<String>,
    /// What Ingresses may not have.
    pub restrictions: Restrictions,
}

/// What Ingresses may not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Restrictions {
    /// The highest risk of an annotation that is accepted (`annotations-risk-level`).
    pub max_risk: Risk,
    /// Whether snippets are wanted (`allow-snippet-annotations`).
    pub allow_snippets: bool,
    /// Words that no annotation value may contain (`annotation-value-word-blocklist`).
    pub blocked_words: Vec<String>,
    /// Whether Ingresses may name Secrets and ConfigMaps of other namespaces (`allow-cross-namespace-resources`).
    pub cross_namespace: bool,
    /// Whether a path that is not ImplementationSpecific may only be made of letters, digits and `._-/`
    /// (`strict-validate-path-type`). Reviews ask for it; what has been created is served.
    pub strict_paths: bool,
}

impl Restrictions {
    /// The first blocked word in a value.
    pub fn blocked_word(&self, value: &str) -> Option<&str> {
        self.blocked_words.iter().map(String::as_str).find(|word| value.contains(word))
    }
}

/// The ConfigMap while it is read, one key after the other.
#[derive(Debug)]
struct Draft {
    settings: Settings,
    plain: Annotations,
    retry_non_idempotent: bool,
    no_tls_redirect: Vec<String>,
    no_auth: Vec<String>,
    log_default_backend: bool,
    restrictions: Restrictions,
    standby: Option<bool>,
    /// Keys that protect, have a value, and are not available yet.
    unprotected: Vec<&'static str>,
    /// Items of `proxy-real-ip-cidr` that are neither an address nor a network.
    unknown_peers: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self::read(None)
    }
}

impl Config {
    /// Reads the ConfigMap, if there is one.
    pub fn read(map: Option<(&Key, &ConfigMap)>) -> Self {
        let mut draft = Draft {
            settings: Settings::default(),
            plain: Annotations::default(),
            retry_non_idempotent: false,
            no_tls_redirect: vec!["/.well-known/acme-challenge".into()],
            no_auth: vec!["/.well-known/acme-challenge".into()],
            log_default_backend: false,
            restrictions: Restrictions {
                max_risk: Risk::High,
                allow_snippets: false,
                blocked_words: Vec::new(),
                cross_namespace: false,
                strict_paths: true,
            },
            standby: None,
            unprotected: Vec::new(),
            unknown_peers: Vec::new(),
        };
        let Some((key, map)) = map else {
            return draft.finish(Vec::new());
        };
        let mut report = Report { object: Kind::ConfigMap.reference(key), verdicts: Vec::new() };
        let (mut planned, mut unknown) = (Vec::new(), Vec::new());
        for (name, text) in map.data.iter().flatten() {
            match keys::find(name) {
                Some((name, apply)) => {
                    if let Err(expected) = apply(&mut draft, text) {
                        let message =
                            format!("{name}: {text:?} is not {expected}; the default stays");
                        report.add(Effect::Warning, "InvalidValue", message);
                    }
                }
                None if silent::has_no_effect(name) => {}
                None if silent::is_planned(name) => planned.push(name.as_str()),
                None => unknown.push(name.as_str()),
            }
        }
        if !draft.unknown_peers.is_empty() {
            let items = draft.unknown_peers.join(", ");
            let message = format!(
                "proxy-real-ip-cidr: {items:?} is neither an address nor a network: nobody is trusted for it"
            );
            report.add(Effect::Warning, "InvalidValue", message);
        }
        report.list("NotSupported", &planned, "are not supported yet and have no effect");
        report.list("UnknownKey", &unknown, "are unknown and have no effect");
        if !draft.unprotected.is_empty() {
            let names = draft.unprotected.join(", ");
            draft.plain.denied = Some(format!(
                "{names} of the ConfigMap {key} is not available yet: the locations answer 503 rather than stand open"
            ));
            report.add(
                Effect::Denied,
                "NotSupported",
                format!(
                    "{names} is not available yet: all locations answer 503 rather than stand open"
                ),
            );
        }
        draft.finish(report.verdicts)
    }
}

impl Draft {
    fn finish(self, verdicts: Vec<Verdict>) -> Config {
        let default_host =
            Annotations { access_log: self.log_default_backend, ..self.plain.for_catch_all() };
        Config {
            settings: Arc::new(self.settings),
            defaults: Arc::new(Defaults {
                plain: Arc::new(self.plain),
                default_host: Arc::new(default_host),
                retry_non_idempotent: self.retry_non_idempotent,
                no_tls_redirect: self.no_tls_redirect,
                no_auth: self.no_auth,
                restrictions: self.restrictions,
            }),
            standby: self.standby,
            verdicts,
        }
    }
}

struct Report {
    object: ObjectRef,
    verdicts: Vec<Verdict>,
}

impl Report {
    fn add(&mut self, effect: Effect, reason: &str, message: String) {
        self.verdicts.push(Verdict {
            object: self.object.clone(),
            effect,
            reason: reason.into(),
            message,
        });
    }

    fn list(&mut self, reason: &str, names: &[&str], what: &str) {
        if !names.is_empty() {
            self.add(Effect::Warning, reason, format!("keys {} {what}", names.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests;
