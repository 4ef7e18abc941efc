//! The main ConfigMap: settings of the gateway, defaults of the annotations, restrictions of the Ingresses.
//!
//! A value that makes no sense leaves its key at the default (configmap-and-flags §1); a missing ConfigMap leaves all.
//! Which keys there are is in [`keys`]; which of them have no effect here in [`silent`].

mod draft;
mod entrances;
mod global_auth;
mod global_headers;
mod keys;
pub mod limit_store;
mod logs;
mod messages;
pub mod reference;
mod silent;
mod snippets;
mod status;
pub mod value;

use std::sync::Arc;

use draft::Draft;
use headgate_config::{Effect, HostCiphers, ObjectRef, Settings, Verdict};
use k8s_openapi::api::core::v1::ConfigMap;
use limit_store::StoreState;

use super::{
    annotations::{Annotations, definition::Risk, limits::Speed},
    snippet::attach::GlobalSnippets,
    wording,
};
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
    /// The ConfigMaps that `proxy-set-headers` and `add-headers` name.
    pub named_maps: Vec<Key>,
    /// The ConfigMap, if there is one.
    pub object: Option<ObjectRef>,
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
    /// What hosts offer that say nothing about ciphers (`ssl-ciphers`).
    pub ciphers: HostCiphers,
    /// Location paths that begin with one of these are never redirected to HTTPS (`no-tls-redirect-locations`).
    pub no_tls_redirect: Vec<String>,
    /// At location paths that begin with one of these nobody is asked who he is (`no-auth-locations`).
    pub no_auth: Vec<String>,
    /// What an Ingress says about encryption towards upstreams is for its own locations only
    /// (`proxy-ssl-location-only`).
    pub own_upstream_tls: bool,
    /// Statuses whose answers the default backend replaces, sorted, where an Ingress names none (`custom-http-errors`).
    pub error_statuses: Vec<u16>,
    /// What Ingresses may not have.
    pub restrictions: Restrictions,
    /// What limits of Ingresses have in common.
    pub limits: LimitDefaults,
    /// What snippets of the ConfigMap ask for.
    pub snippets: GlobalSnippets,
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
    /// The headers that they may add to answers, with upper and lower case (`global-allowed-response-headers`).
    pub allowed_headers: Vec<String>,
}

impl Restrictions {
    /// The first blocked word in a value.
    pub fn blocked_word(&self, value: &str) -> Option<&str> {
        self.blocked_words.iter().map(String::as_str).find(|word| value.contains(word))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::read(&Options::default(), None, &Objects::default())
    }
}

impl Config {
    /// Reads the ConfigMap, if there is one. The Secret that it names is among the objects, if there is that.
    pub fn read(options: &Options, map: Option<(&Key, &ConfigMap)>, objects: &Objects) -> Self {
        let mut draft = Draft::default();
        let Some((key, map)) = map else {
            draft.limits.store = StoreState::without_map(options);
            return draft.finish(None, Vec::new());
        };
        let mut report = Report { object: Kind::ConfigMap.reference(key), verdicts: Vec::new() };
        draft.take(map, &mut report);
        draft.judge(key, options, objects, &mut report);
        draft.finish(Some(report.object), report.verdicts)
    }

    /// What holds while nobody knows what the ConfigMap protects: all locations are closed.
    pub fn closed(options: &Options, reason: &Verdict) -> Self {
        let mut draft = Draft::default();
        draft.limits.store = StoreState::without_map(options);
        let object = &reason.object;
        draft.plain.denied =
            Some(format!("ConfigMap {}/{}: {}", object.namespace, object.name, reason.message));
        draft.finish(None, Vec::new())
    }
}

impl Config {
    /// Says which entries of the lists of blocked values are no patterns. What becomes of requests is left to the
    /// gateway, which refuses them all.
    pub fn check_blocked(&mut self, check: PatternCheck) {
        self.check_skipped(check);
        let blocked = &self.settings.blocked;
        let Some(object) = &blocked.origin else { return };
        for text in blocked.user_agents.iter().chain(&blocked.referers) {
            if let Err(error) = (check.blocked)(text) {
                self.verdicts.push(Verdict {
                    object: object.clone(),
                    effect: Effect::Denied,
                    reason: "InvalidValue".into(),
                    message: format!(
                        "block-user-agents, block-referers: {error}; all requests are answered with 503: correct or remove it"
                    ),
                });
            }
        }
    }
}

impl Config {
    fn check_skipped(&mut self, check: PatternCheck) {
        let Some(object) = &self.object else { return };
        for text in &self.settings.log.skipped {
            if let Err(error) = (check.blocked)(text) {
                self.verdicts.push(Verdict {
                    object: object.clone(),
                    effect: Effect::Warning,
                    reason: "InvalidValue".into(),
                    message: format!(
                        "skip-access-log-urls: {error}; it skips nothing: correct or remove it"
                    ),
                });
            }
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

    fn list(&mut self, reason: &str, names: &[impl AsRef<str>], says: [&str; 2]) {
        if !names.is_empty() {
            self.add(Effect::Warning, reason, wording::without_effect("key", names, says));
        }
    }
}

#[cfg(test)]
mod tests;
