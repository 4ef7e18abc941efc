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
mod astray;
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
mod meaning;
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

use headgate_config::{Effect, ObjectRef, Verdict};

use definition::{
    Definition,
    State::{self, Honoured, NoEffect, NotYet, Refused},
};
pub use meaning::Annotations;
pub use protocol::Protocol;
use refusal::Refusal;
use subject::{References, Subject};
pub use upstream_tls::Said;
use values::Values;

use super::wording;

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
    let astray = astray::tell(subject);
    if own.is_empty() {
        let (annotations, findings) = (defaults.plain.clone(), astray.into_iter().collect());
        return Ok(Reading { annotations, findings, ..Reading::default() });
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
            message: wording::denied(reason),
        });
    }
    values.findings.extend(astray);
    let (findings, references) = values.finish();
    Ok(Reading { annotations: Arc::new(read), findings, references })
}

#[cfg(test)]
mod tests;
