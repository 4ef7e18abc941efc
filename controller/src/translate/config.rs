//! The main ConfigMap: settings of the gateway, defaults of the annotations, restrictions of the Ingresses.
//!
//! A value that makes no sense leaves its key at the default (configmap-and-flags §1); a missing ConfigMap leaves all.
//! Which keys there are is in [`keys`]; which of them have no effect here in [`silent`].

mod global_auth;
mod keys;
pub mod limit_store;
mod silent;
pub mod value;

use std::sync::Arc;

use global_auth::GlobalAuth;
use headgate_config::{
    Blocked, Effect, Network, ObjectRef, Settings, Verdict, protection::LimitFallback,
};
use k8s_openapi::api::core::v1::ConfigMap;
use limit_store::{StoreKeys, StoreState, Stored};

use super::annotations::{Annotations, definition::Risk, external_auth, limits::Speed};
use crate::{
    objects::{Key, Kind, Objects},
    options::{Options, PatternCheck},
};

/// What the main ConfigMap means.
#[derive(Debug)]
pub struct Config {
    /// Settings of the gateway as a whole.
    pub settings: Arc<Settings>,
    /// What the translation of Ingresses needs.
    pub defaults: Arc<Defaults>,
    /// Whether to stand by (`headgate-standby`), if it says so.
    pub standby: Option<bool>,
    /// The Secret that `limit-shared-secret` names.
    pub limit_secret: Option<Key>,
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
    /// What limits of Ingresses have in common.
    pub limits: LimitDefaults,
}

/// What limits of Ingresses have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitDefaults {
    /// Status of an answer to a request too many (`limit-req-status-code`).
    pub rate_status: u16,
    /// Status of an answer to a connection too many (`limit-conn-status-code`).
    pub connection_status: u16,
    /// How fast answers are sent (`limit-rate`, `limit-rate-after`).
    pub throttle: Speed,
    /// Why clients cannot be counted as it is wanted, if so (`limit-conn-zone-variable`).
    pub unusable_key: Option<String>,
    /// Where shared limits are counted (`limit-shared-url` and what belongs to it).
    pub store: StoreState,
}

impl Default for LimitDefaults {
    fn default() -> Self {
        Self {
            rate_status: 503,
            connection_status: 503,
            throttle: Speed::default(),
            unusable_key: None,
            store: StoreState::default(),
        }
    }
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
    /// The service that is asked about every location.
    global_auth: GlobalAuth,
    /// What is wrong with lists that protect and cannot be read.
    unreadable: Vec<String>,
    limits: LimitDefaults,
    store: StoreKeys,
    limit_secret: Option<Key>,
    /// Items of `proxy-real-ip-cidr` that are neither an address nor a network.
    unknown_peers: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self::read(&Options::default(), None, &Objects::default())
    }
}

impl Config {
    /// Reads the ConfigMap, if there is one. The Secret that it names is among the objects, if there is that.
    pub fn read(options: &Options, map: Option<(&Key, &ConfigMap)>, objects: &Objects) -> Self {
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
            global_auth: GlobalAuth::default(),
            unreadable: Vec::new(),
            limits: LimitDefaults::default(),
            store: StoreKeys::default(),
            limit_secret: None,
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
        if !draft.unreadable.is_empty() {
            let problems = draft.unreadable.join("; ");
            draft.plain.denied = Some(format!("{problems} (ConfigMap {key})"));
            let message = format!("{problems}: all locations answer 503 rather than stand open");
            report.add(Effect::Denied, "InvalidValue", message);
        }
        if let Some(reason) = &mut draft.limits.unusable_key {
            let message = format!("{reason}: locations with limits answer 503");
            report.add(Effect::Denied, "NotSupported", message);
            *reason = format!("{reason} (ConfigMap {key})");
        }
        let store = draft.read_store(objects);
        for problem in store.problems {
            let is_closed = store.state.fallback == LimitFallback::Closed;
            let effect = if is_closed { Effect::Denied } else { Effect::Warning };
            report.add(effect, "InvalidValue", problem);
        }
        if draft.settings.blocked != Blocked::default() {
            draft.settings.blocked.origin = Some(report.object.clone());
        }
        draft.plain.throttle = draft.limits.throttle.throttle();
        report.list("NotSupported", &planned, "are not supported yet and have no effect");
        report.list("UnknownKey", &unknown, "are unknown and have no effect");
        let global_auth = std::mem::take(&mut draft.global_auth);
        if let Err(reason) = global_auth.apply(options, &mut draft.plain) {
            let reason = format!(
                "global-auth-url: {reason}: the locations answer 503 rather than stand open"
            );
            draft.plain.denied = Some(format!("ConfigMap {key}: {reason}"));
            report.add(Effect::Denied, "InvalidValue", reason);
        }
        draft.finish(report.verdicts)
    }
}

impl Config {
    /// Says which entries of the lists of blocked values are no patterns. What becomes of requests is left to the
    /// gateway, which refuses them all.
    pub fn check_blocked(&mut self, check: PatternCheck) {
        let blocked = &self.settings.blocked;
        let Some(object) = &blocked.origin else { return };
        for text in blocked.user_agents.iter().chain(&blocked.referers) {
            if let Err(error) = (check.blocked)(text) {
                self.verdicts.push(Verdict {
                    object: object.clone(),
                    effect: Effect::Denied,
                    reason: "InvalidValue".into(),
                    message: format!("{error}; all requests are answered with 503"),
                });
            }
        }
    }
}

impl Draft {
    /// The networks of a list that protects, sorted. What is none of them is remembered: it closes everything.
    fn networks(&mut self, name: &str, text: &str) -> Vec<Network> {
        let (mut networks, unknown) = value::networks(text);
        if !unknown.is_empty() {
            let items = unknown.join(", ");
            self.unreadable.push(format!("{name}: {items:?} is neither an address nor a network"));
        } else if networks.is_empty() && !text.trim().is_empty() {
            self.unreadable.push(format!("{name}: {text:?} names no address"));
        }
        networks.sort_unstable();
        networks.dedup();
        networks
    }

    /// What the keys about shared limits mean.
    fn read_store(&mut self, objects: &Objects) -> Stored {
        let keys = std::mem::take(&mut self.store);
        self.limit_secret = keys.secret_key();
        let stored = keys.read(objects);
        self.settings.limit_store.clone_from(&stored.store);
        self.limits.store = stored.state.clone();
        stored
    }

    fn finish(self, verdicts: Vec<Verdict>) -> Config {
        let mut default_host =
            Annotations { access_log: self.log_default_backend, ..self.plain.for_catch_all() };
        // Nobody is asked about the host of unknown names, unless an Ingress has it.
        external_auth::replace(&mut default_host.protection, None, None);
        Config {
            settings: Arc::new(self.settings),
            defaults: Arc::new(Defaults {
                plain: Arc::new(self.plain),
                default_host: Arc::new(default_host),
                retry_non_idempotent: self.retry_non_idempotent,
                no_tls_redirect: self.no_tls_redirect,
                no_auth: self.no_auth,
                restrictions: self.restrictions,
                limits: self.limits,
            }),
            standby: self.standby,
            limit_secret: self.limit_secret,
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
