//! What the annotations of one Ingress mean.
//!
//! Each family of annotations is one file below with the same two items: `ANNOTATIONS`, which names them with all there
//! is to know about them, and `read`, which turns checked values into fields of [`Annotations`]. A new family is a new
//! file and a line in [`FAMILIES`]; `docs/annotations.md` is written from them.

pub mod check;
pub mod definition;
pub mod refusal;
pub mod subject;
pub mod values;

mod access;
mod access_log;
pub mod affinity;
mod alias;
pub mod balancing;
mod canary;
pub mod client_certificates;
mod cors;
mod default_backend;
pub mod errors;
pub mod external_auth;
mod group;
pub mod headers;
mod ignored;
mod jwt;
pub mod limits;
mod mirror;
pub mod password;
mod planned;
mod protocol;
pub mod proxy;
mod redirect;
pub mod reference;
mod rewrite;
mod service_upstream;
mod snippet;
mod tls;
pub mod tracing;
mod unknown;
mod upstream_host;
mod upstream_tls;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use headgate_config::{
    Balance, ClientCertificates, Cors, Effect, FastCgi, FixedRedirect, Mirror, ObjectRef,
    Protection, ProxySettings, Redirect, TlsSuite, Verdict, balance::CanaryRules,
    protection::Throttle,
};

use affinity::AffinityWish;
use definition::{
    Definition,
    State::{self, Honoured, NoEffect, NotYet, Refused},
};
pub use protocol::Protocol;
use refusal::Refusal;
use subject::{References, Subject};
pub use upstream_tls::Said;
use values::Values;

use super::snippet::Snippets;

/// Annotations that belong together.
struct Family {
    /// What they are here, for the documentation.
    state: State,
    annotations: &'static [&'static [Definition]],
    read: Read,
}

type Read = fn(&mut Values<'_>, &mut Annotations);

impl Family {
    const fn new(state: State, annotations: &'static [&'static [Definition]], read: Read) -> Self {
        Self { state, annotations, read }
    }
}

/// All families. The order has no meaning.
static FAMILIES: &[Family] = &[
    Family::new(Honoured, &[access::ANNOTATIONS], access::read),
    Family::new(Honoured, &[affinity::ANNOTATIONS], affinity::read),
    Family::new(Honoured, &[alias::ANNOTATIONS], alias::read),
    Family::new(Honoured, &[balancing::ANNOTATIONS], balancing::read),
    Family::new(Honoured, &[canary::ANNOTATIONS], canary::read),
    Family::new(Honoured, &[client_certificates::ANNOTATIONS], client_certificates::read),
    Family::new(Honoured, &[cors::ANNOTATIONS], cors::read),
    Family::new(Honoured, &[default_backend::ANNOTATIONS], default_backend::read),
    Family::new(Honoured, &[errors::ANNOTATIONS], errors::read),
    Family::new(Honoured, &[external_auth::ANNOTATIONS], external_auth::read),
    Family::new(Honoured, &[headers::ANNOTATIONS], headers::read),
    Family::new(NoEffect, &[ignored::ANNOTATIONS], ignored::read),
    Family::new(Honoured, &[jwt::ANNOTATIONS], jwt::read),
    Family::new(Honoured, &[access_log::ANNOTATIONS], access_log::read),
    Family::new(Honoured, &[limits::ANNOTATIONS], limits::read),
    Family::new(Honoured, &[mirror::ANNOTATIONS], mirror::read),
    Family::new(Honoured, &[password::ANNOTATIONS], password::read),
    Family::new(NotYet, planned::ANNOTATIONS, planned::read),
    Family::new(Honoured, &[protocol::ANNOTATIONS], protocol::read),
    Family::new(Honoured, &[proxy::ANNOTATIONS], proxy::read),
    Family::new(Honoured, &[redirect::ANNOTATIONS], redirect::read),
    Family::new(Honoured, &[rewrite::ANNOTATIONS], rewrite::read),
    Family::new(Honoured, &[service_upstream::ANNOTATIONS], service_upstream::read),
    Family::new(Honoured, &[snippet::ANNOTATIONS], snippet::read),
    Family::new(Refused, &[snippet::REFUSED], snippet::refuse),
    Family::new(Honoured, &[tls::ANNOTATIONS], tls::read),
    Family::new(Honoured, &[tracing::ANNOTATIONS], tracing::read),
    Family::new(Honoured, &[upstream_host::ANNOTATIONS], upstream_host::read),
    Family::new(Honoured, &[upstream_tls::ANNOTATIONS], upstream_tls::read),
];

/// Every annotation, with what it is here.
fn all() -> impl Iterator<Item = (State, &'static Definition)> {
    let of = |family: &'static Family| family.annotations.iter().copied().flatten();
    FAMILIES.iter().flat_map(move |family| of(family).map(|definition| (family.state, definition)))
}

/// Every annotation by its name and by its older name.
static BY_NAME: LazyLock<HashMap<&'static str, &'static Definition>> = LazyLock::new(|| {
    all()
        .flat_map(|(_, definition)| definition.names().map(move |name| (name, definition)))
        .collect()
});

/// What the names of our own annotations begin with, whatever prefix the others have. Their definitions name it as well.
pub const OWN_PREFIX: &str = "headgate.io/";

/// The name that an Ingress gives to an annotation whose definition has this name.
pub fn full_name(prefix: &str, name: &str) -> String {
    if name.starts_with(OWN_PREFIX) { name.into() } else { format!("{prefix}/{name}") }
}

/// The name of a definition that an Ingress gives so.
fn defined_name<'a>(prefix: &str, full: &'a str) -> Option<&'a str> {
    // Also where others have the same prefix.
    if BY_NAME.contains_key(full) && full.starts_with(OWN_PREFIX) {
        return Some(full);
    }
    match full.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')) {
        Some(name) => Some(name),
        None => full.starts_with(OWN_PREFIX).then_some(full),
    }
}

/// The annotations of one Ingress, with the defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotations {
    /// Why all locations of the Ingress answer 503, if they do (annotations §1.4, outcome D).
    pub denied: Option<String>,
    /// `ssl-ciphers`.
    pub ssl_ciphers: Option<Arc<[TlsSuite]>>,
    /// `ssl-prefer-server-ciphers`.
    pub ssl_own_order: Option<bool>,
    /// `ssl-passthrough`.
    pub ssl_passthrough: bool,
    /// `auth-tls-*`, which hold for its hosts.
    pub client_certificates: Option<Arc<ClientCertificates>>,
    /// The Ingress only lends its backends to others (routing §13).
    pub canary: bool,
    /// Which share of their requests it wants for them.
    pub canary_rules: Option<Arc<CanaryRules>>,
    /// `affinity` and what belongs to it.
    pub affinity: Option<Arc<AffinityWish>>,
    /// `load-balance` and `upstream-hash-by`.
    pub balance: Balance,
    /// `use-regex`.
    pub use_regex: bool,
    /// `rewrite-target`.
    pub rewrite_target: Option<String>,
    /// `x-forwarded-prefix`.
    pub forwarded_prefix: Option<String>,
    /// `app-root`.
    pub app_root: Option<String>,
    /// `server-alias`: sorted, without repeats, as written.
    pub aliases: Vec<String>,
    /// `upstream-vhost`.
    pub upstream_host: Option<String>,
    /// What happens to headers of answers.
    pub headers: headers::Wishes,
    /// `default-backend`: name of a Service in the Ingress's namespace.
    pub default_backend: Option<String>,
    /// Which answers are replaced.
    pub errors: errors::ErrorRules,
    /// `mirror-*`.
    pub mirror: Option<Arc<Mirror>>,
    /// `ssl-redirect`.
    pub ssl_redirect: bool,
    /// `force-ssl-redirect`.
    pub force_ssl_redirect: bool,
    /// Form of redirects.
    pub redirect: Redirect,
    /// `permanent-redirect`, `temporal-redirect`.
    pub fixed_redirect: Option<Arc<FixedRedirect>>,
    /// `from-to-www-redirect`.
    pub www_redirect: bool,
    /// `enable-cors` with `cors-*`.
    pub cors: Option<Arc<Cors>>,
    /// `proxy-body-size` in bytes; `None` is no limit.
    pub body_limit: Option<u64>,
    /// Timeouts, retries and such.
    pub proxy: Arc<ProxySettings>,
    /// `backend-protocol`.
    pub protocol: Protocol,
    /// `fastcgi-*`.
    pub fastcgi: Arc<FastCgi>,
    /// `proxy-ssl-*`, of which other locations of the host have something as well.
    pub upstream_tls: Option<Said>,
    /// `service-upstream`.
    pub service_upstream: bool,
    /// What requests have to pass.
    pub protection: Option<Arc<Protection>>,
    /// `limit-rate` and `limit-rate-after`.
    pub throttle: Option<Throttle>,
    /// What snippets ask for.
    pub snippets: Option<Arc<Snippets>>,
    /// `enable-opentelemetry` and what belongs to it.
    pub spans: tracing::SpanWish,
    /// `enable-access-log`.
    pub access_log: bool,
}

impl Default for Annotations {
    /// What the reference does without annotations and without a ConfigMap (annotations §1.14).
    fn default() -> Self {
        Self {
            denied: None,
            ssl_ciphers: None,
            ssl_own_order: None,
            ssl_passthrough: false,
            client_certificates: None,
            canary: false,
            canary_rules: None,
            affinity: None,
            balance: Balance::RoundRobin,
            use_regex: false,
            rewrite_target: None,
            forwarded_prefix: None,
            app_root: None,
            aliases: Vec::new(),
            upstream_host: None,
            headers: headers::Wishes::default(),
            default_backend: None,
            errors: errors::ErrorRules::default(),
            mirror: None,
            ssl_redirect: true,
            force_ssl_redirect: false,
            redirect: Redirect::default(),
            fixed_redirect: None,
            www_redirect: false,
            cors: None,
            body_limit: Some(proxy::BODY_LIMIT),
            proxy: Arc::default(),
            protocol: Protocol::default(),
            fastcgi: Arc::default(),
            upstream_tls: None,
            service_upstream: false,
            protection: None,
            throttle: None,
            snippets: None,
            spans: tracing::SpanWish::default(),
            access_log: true,
        }
    }
}

impl Annotations {
    /// Why the locations must not forward, unless that is known already.
    fn deny(&mut self, reason: String) {
        self.denied.get_or_insert(reason);
    }

    /// What requests have to pass, to be changed.
    pub(super) fn protect(&mut self) -> &mut Protection {
        Arc::make_mut(self.protection.get_or_insert_default())
    }

    /// What of them holds for the `/` of the default host: everything but redirects and rewriting (routing §2.3).
    pub fn for_catch_all(&self) -> Self {
        Self {
            use_regex: false,
            rewrite_target: None,
            forwarded_prefix: None,
            app_root: None,
            ssl_redirect: false,
            force_ssl_redirect: false,
            redirect: Redirect { with_port: self.redirect.with_port, ..Redirect::default() },
            fixed_redirect: None,
            www_redirect: false,
            ..self.clone()
        }
    }
}

/// A verdict whose object is not named yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it means for traffic.
    pub effect: Effect,
    /// A stable word.
    pub reason: &'static str,
    /// Field, value and remedy.
    pub message: String,
}

impl Finding {
    /// The verdict about this object.
    pub fn about(&self, object: ObjectRef) -> Verdict {
        Verdict {
            object,
            effect: self.effect,
            reason: self.reason.into(),
            message: self.message.clone(),
        }
    }
}

/// What came of reading the annotations of an Ingress.
#[derive(Debug, Default)]
pub struct Reading {
    /// What they mean.
    pub annotations: Arc<Annotations>,
    /// What is to be said about them.
    pub findings: Vec<Finding>,
    /// The objects that this depends on.
    pub references: References,
}

/// Reads the annotations of an Ingress.
///
/// # Errors
///
/// If the Ingress must not be served in this version (annotations §1.4, outcome R; §1.5; §1.7).
pub fn read(subject: Subject<'_>) -> Result<Reading, Refusal> {
    let Subject { options, defaults, .. } = subject;
    let own = subject.ingress.annotations.iter().filter_map(|(name, value)| {
        Some((defined_name(&options.annotations_prefix, name)?, &**value))
    });
    let own: Vec<(&str, &str)> = own.collect();
    values::check_risks(subject)?;
    if own.is_empty() {
        return Ok(Reading { annotations: defaults.plain.clone(), ..Reading::default() });
    }
    let mut read = (*defaults.plain).clone();
    let mut values = Values::check(subject, &own)?;
    read.denied = values.denied.take().or(read.denied);
    for family in FAMILIES {
        (family.read)(&mut values, &mut read);
    }
    if let Some(refusal) = values.refusal.take() {
        return Err(refusal);
    }
    if let Some(reason) = read.denied.as_ref().filter(|_| defaults.plain.denied.is_none()) {
        values.findings.push(Finding {
            effect: Effect::Denied,
            reason: "AnnotationParsingFailed",
            message: reason.clone(),
        });
    }
    let (findings, references) = values.finish();
    Ok(Reading { annotations: Arc::new(read), findings, references })
}

#[cfg(test)]
mod tests;
