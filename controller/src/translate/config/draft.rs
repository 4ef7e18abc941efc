//! The ConfigMap while it is read, one key after the other, and what is to be said about the whole of it.

use std::sync::Arc;

use headgate_config::{
    Blocked, Effect, Network, ObjectRef, Settings, Verdict, protection::LimitFallback,
};
use k8s_openapi::api::core::v1::ConfigMap;

use super::{
    Config, Defaults, LimitDefaults, Report, Restrictions,
    entrances::EntranceKeys,
    global_auth::GlobalAuth,
    global_headers::{self, HeaderMaps},
    keys::{self, tracing::SpanKeys},
    limit_store::{StoreKeys, Stored},
    logs::LogKeys,
    messages, silent,
    snippets::SnippetTexts,
    value,
};
use crate::{
    objects::{Key, Objects},
    options::Options,
    translate::annotations::{Annotations, definition::Risk, external_auth},
};

/// The ConfigMap while it is read, one key after the other.
#[derive(Debug)]
pub struct Draft {
    pub settings: Settings,
    pub plain: Annotations,
    pub retry_non_idempotent: bool,
    pub no_tls_redirect: Vec<String>,
    pub no_auth: Vec<String>,
    pub log_default_backend: bool,
    pub own_upstream_tls: bool,
    /// `custom-http-errors`, sorted.
    pub error_statuses: Vec<u16>,
    pub restrictions: Restrictions,
    pub standby: Option<bool>,
    /// The service that is asked about every location.
    pub global_auth: GlobalAuth,
    /// The ConfigMaps with headers of all requests and answers.
    pub header_maps: HeaderMaps,
    /// Those of them that are named.
    pub named_maps: Vec<Key>,
    /// What is wrong with lists that protect and cannot be read.
    pub unreadable: Vec<String>,
    pub limits: LimitDefaults,
    /// Where logs go.
    pub logs: LogKeys,
    /// Where clients are served.
    pub entrances: EntranceKeys,
    /// The snippets.
    pub snippets: SnippetTexts,
    pub store: StoreKeys,
    /// Traces.
    pub spans: SpanKeys,
    pub limit_secret: Option<Key>,
    /// What is to be said about keys that are honoured in part.
    pub notes: Vec<String>,
    /// Items of `proxy-real-ip-cidr` that are neither an address nor a network.
    pub unknown_peers: Vec<String>,
    /// What else is to be said about values.
    pub remarks: Vec<String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            plain: Annotations::default(),
            retry_non_idempotent: false,
            no_tls_redirect: vec!["/.well-known/acme-challenge".into()],
            no_auth: vec!["/.well-known/acme-challenge".into()],
            log_default_backend: false,
            own_upstream_tls: false,
            error_statuses: Vec::new(),
            restrictions: Restrictions {
                max_risk: Risk::High,
                allow_snippets: false,
                blocked_words: Vec::new(),
                cross_namespace: false,
                strict_paths: true,
                allowed_headers: Vec::new(),
            },
            standby: None,
            global_auth: GlobalAuth::default(),
            header_maps: HeaderMaps::default(),
            named_maps: Vec::new(),
            unreadable: Vec::new(),
            limits: LimitDefaults::default(),
            logs: LogKeys::default(),
            entrances: EntranceKeys::default(),
            snippets: SnippetTexts::default(),
            store: StoreKeys::default(),
            spans: SpanKeys::default(),
            limit_secret: None,
            notes: Vec::new(),
            unknown_peers: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

impl Draft {
    /// Takes what the keys say.
    pub fn take(&mut self, map: &ConfigMap, report: &mut Report) {
        let (mut idle, mut unknown) = (Vec::new(), Vec::new());
        for (name, text) in map.data.iter().flatten() {
            match keys::find(name) {
                Some((name, apply)) => {
                    if let Err(expected) = apply(self, text) {
                        let message = messages::invalid(name, text, expected);
                        report.add(Effect::Warning, "InvalidValue", message);
                    }
                }
                None if silent::has_no_effect(name) => idle.push(name.as_str()),
                None => unknown.push(messages::unknown(name)),
            }
        }
        let only = ["only tunes the workings of nginx", "only tune the workings of nginx"];
        report.list("NoEffect", &idle, only);
        report.list("UnknownKey", &unknown, ["is unknown", "are unknown"]);
    }

    /// Says what the whole of it makes impossible, and what becomes of requests then.
    pub fn judge(&mut self, key: &Key, options: &Options, objects: &Objects, report: &mut Report) {
        self.judge_logs(report);
        self.judge_entrances(report);
        if !self.unknown_peers.is_empty() {
            let items = self.unknown_peers.join(", ");
            let message = format!(
                "proxy-real-ip-cidr: {items:?} is neither an address nor a network: nobody is trusted for it; correct or remove it"
            );
            report.add(Effect::Warning, "InvalidValue", message);
        }
        SpanKeys::settle(self);
        for note in self.notes.drain(..) {
            report.add(Effect::Warning, "NotAvailable", note);
        }
        for remark in std::mem::take(&mut self.remarks) {
            report.add(Effect::Warning, "InvalidValue", remark);
        }
        if !self.unreadable.is_empty() {
            let problems = self.unreadable.join("; ");
            self.plain.denied = Some(format!("{problems} (ConfigMap {key})"));
            let message = format!("{problems}: all locations answer 503 rather than stand open");
            report.add(Effect::Denied, "InvalidValue", message);
        }
        if let Some(reason) = &mut self.limits.unusable_key {
            let message = format!("{reason}: locations with limits answer 503; remove the key");
            report.add(Effect::Denied, "NotSupported", message);
            *reason = format!("{reason} (ConfigMap {key})");
        }
        if self.settings.blocked != Blocked::default() {
            self.settings.blocked.origin = Some(report.object.clone());
        }
        self.plain.throttle = self.limits.throttle.throttle();
        self.plain.headers.settle();
        self.read_headers((options, objects), report);
        self.judge_store(objects, report);
        self.read_snippets(key, options, report);
        self.judge_global_auth(key, options, report);
    }

    fn read_headers(&mut self, from: (&Options, &Objects), report: &mut Report) {
        let HeaderMaps { request, answer } = &self.header_maps;
        let (named, headers) = (&mut self.named_maps, &mut self.settings.headers);
        headers.request = global_headers::read("proxy-set-headers", request, from, named, report);
        headers.answer = global_headers::read("add-headers", answer, from, named, report);
        if !self.named_maps.is_empty() {
            self.settings.headers.origin = Some(report.object.clone());
        }
    }

    fn judge_store(&mut self, objects: &Objects, report: &mut Report) {
        let store = self.read_store(objects);
        for problem in store.problems {
            let is_closed = store.state.fallback == LimitFallback::Closed;
            let effect = if is_closed { Effect::Denied } else { Effect::Warning };
            report.add(effect, "InvalidValue", problem);
        }
    }

    fn judge_global_auth(&mut self, key: &Key, options: &Options, report: &mut Report) {
        let global_auth = std::mem::take(&mut self.global_auth);
        if let Err(reason) = global_auth.apply(options, &mut self.plain) {
            let reason = format!(
                "global-auth-url: {reason}: the locations answer 503 rather than stand open"
            );
            self.plain.denied = Some(format!("ConfigMap {key}: {reason}"));
            report.add(Effect::Denied, "InvalidValue", reason);
        }
    }

    /// The networks of a list that protects, sorted. What is none of them is remembered: it closes everything.
    pub fn networks(&mut self, name: &str, text: &str) -> Vec<Network> {
        let (mut networks, unknown) = value::networks(text);
        if !unknown.is_empty() {
            let items = unknown.join(", ");
            self.unreadable.push(format!(
                "{name}: {items:?} is neither an address nor a network; correct or remove it"
            ));
        } else if networks.is_empty() && !text.trim().is_empty() {
            self.unreadable
                .push(format!("{name}: {text:?} names no address; name some, or remove the key"));
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

    pub fn finish(self, object: Option<ObjectRef>, verdicts: Vec<Verdict>) -> Config {
        let mut default_host =
            Annotations { access_log: self.log_default_backend, ..self.plain.for_catch_all() };
        let ciphers = self.settings.tls.ciphers.clone();
        // Nobody is asked about the host of unknown names, unless an Ingress has it.
        external_auth::replace(&mut default_host.protection, None, None);
        Config {
            settings: Arc::new(self.settings),
            defaults: Arc::new(Defaults {
                plain: Arc::new(self.plain),
                default_host: Arc::new(default_host),
                retry_non_idempotent: self.retry_non_idempotent,
                ciphers,
                no_tls_redirect: self.no_tls_redirect,
                no_auth: self.no_auth,
                own_upstream_tls: self.own_upstream_tls,
                error_statuses: self.error_statuses,
                restrictions: self.restrictions,
                limits: self.limits,
                snippets: self.snippets.read,
            }),
            standby: self.standby,
            limit_secret: self.limit_secret,
            named_maps: self.named_maps,
            object,
            verdicts,
        }
    }
}
