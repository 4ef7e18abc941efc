//! What only compiling brings to light, as verdicts about the objects that it comes from. What the controller finds as well is
//! said in its words, so that it is said once.

use std::{fmt::Display, sync::Arc};

use headgate_config::{
    ClientCertificates, Effect, Host, Location, ObjectRef, Rewrite, Snapshot, Verdict,
};

use super::LiveSettings;
use crate::route::{host::AliasError, path::PatternError};

/// A path of a host that is no pattern.
pub(super) fn broken_path(host: &Host, error: &PatternError) -> Option<Verdict> {
    let location = host.locations.get(error.location)?;
    let (path, host, error) = (&location.origin.path, &host.name, &error.error);
    denied(
        location,
        "InvalidPath",
        format!(
            "path {path:?} of host {host:?} is no usable regular expression: {error}; requests that begin like it are answered with 503: correct it"
        ),
    )
}

/// A rewrite that cannot be made.
pub(super) fn broken_rewrite(
    host: &Host,
    location: &Location,
    rewrite: &Rewrite,
    error: &impl Display,
) -> Option<Verdict> {
    let (path, target, host) = (&location.origin.path, &rewrite.target, &host.name);
    denied(
        location,
        "InvalidRewrite",
        format!(
            "path {path:?} of host {host:?} cannot be rewritten to {target:?}: {error}; its requests are answered with 503: correct rewrite-target"
        ),
    )
}

/// A snippet with a pattern that cannot be used.
pub(super) fn broken_snippet(
    host: &Host,
    origin: Option<&ObjectRef>,
    error: &impl Display,
) -> Option<Verdict> {
    let message = format!(
        "a snippet of host {:?} has no usable regular expression: {error}; its requests are answered with 503: correct it",
        host.name
    );
    Some(verdict(origin?, Effect::Denied, "InvalidSnippet", message))
}

/// What is to be replaced in headers of answers, and cannot be.
pub(super) fn unusable_replacement(
    host: &Host,
    location: &Location,
    field: &str,
    error: &impl Display,
) -> Option<Verdict> {
    let (path, host) = (&location.origin.path, &host.name);
    let message = format!(
        "{field} of path {path:?} of host {host:?} cannot be used: {error}; headers of answers stay as they are: correct it"
    );
    Some(verdict(location.origin.object.as_ref()?, Effect::Warning, "InvalidValue", message))
}

/// A way to speak to an upstream that there is none of.
pub(super) fn unusable_transport(
    host: &Host,
    location: &Location,
    problem: &str,
) -> Option<Verdict> {
    let (path, host) = (&location.origin.path, &host.name);
    denied(
        location,
        "InvalidUpstreamProtocol",
        format!(
            "the upstream of path {path:?} of host {host:?} cannot be spoken to: {problem}; its requests are answered with 503 until that is corrected"
        ),
    )
}

/// Authorities, or a pattern for subjects, that no certificate can be verified by.
pub(super) fn unusable_authorities(
    host: &Host,
    spec: &ClientCertificates,
    problem: &str,
) -> Option<Verdict> {
    let ClientCertificates::Verify(verification) = spec else { return None };
    let message = format!(
        "client certificates of host {:?} cannot be verified: {problem}; every request to it is answered 403 until that is corrected",
        host.name
    );
    Some(verdict(&verification.origin, Effect::Denied, "InvalidClientAuthority", message))
}

/// An alias that is no pattern. `hosts` are sorted by name.
pub(super) fn broken_alias(hosts: &[Arc<Host>], error: &AliasError) -> Option<Verdict> {
    let at = hosts.binary_search_by(|host| host.name.cmp(&error.host)).ok()?;
    let message = format!("{error}; it matches nothing: correct server-alias");
    Some(verdict(hosts[at].alias_origin.as_deref()?, Effect::Warning, "InvalidAlias", message))
}

/// Texts of the lists of who is blocked that are no patterns.
pub(super) fn broken_blocks(settings: &LiveSettings) -> Vec<Verdict> {
    let errors = settings.blocked.iter().flat_map(|blocked| &blocked.errors);
    let Some(origin) = &settings.spec.blocked.origin else { return Vec::new() };
    errors
        .map(|error| {
            let message = format!(
                "block-user-agents, block-referers: {error}; all requests are answered with 503: correct or remove it"
            );
            verdict(origin, Effect::Denied, "InvalidValue", message)
        })
        .collect()
}

/// Logs that cannot be written where, or in the form that, they are to be.
pub(super) fn broken_logs(settings: &LiveSettings) -> Vec<Verdict> {
    let Some(origin) = &settings.spec.log.origin else { return Vec::new() };
    let unopened = settings.logs.problems.iter().map(|problem| {
        let message = format!("{problem}; its lines go to standard output");
        verdict(origin, Effect::Warning, "LogNotOpened", message)
    });
    let formats = settings.logs.bad_formats.iter().map(|problem| {
        let message = format!("{problem}; correct it: the default format is written");
        verdict(origin, Effect::Warning, "InvalidValue", message)
    });
    unopened.chain(formats).collect()
}

fn denied(location: &Location, reason: &str, message: String) -> Option<Verdict> {
    Some(verdict(location.origin.object.as_ref()?, Effect::Denied, reason, message))
}

fn verdict(object: &ObjectRef, effect: Effect, reason: &str, message: String) -> Verdict {
    Verdict { object: object.clone(), effect, reason: reason.into(), message }
}

/// Findings of one snapshot that are told one by one, at most, when they do not hold any more.
const TOLD: usize = 10;

/// The findings about the snapshot before; what is found again is not logged again.
#[derive(Default)]
pub(super) struct Findings(Vec<Verdict>);

impl Findings {
    /// Adds the findings about a snapshot to its verdicts, unless it has them already: then they have been logged, too.
    pub(super) fn report(&mut self, snapshot: &mut Snapshot, mut found: Vec<Verdict>) {
        found.retain(|verdict| snapshot.verdicts.binary_search(verdict).is_err());
        found.sort();
        found.dedup();
        for verdict in found.iter().filter(|verdict| self.0.binary_search(verdict).is_err()) {
            let Verdict { object, effect, reason, message } = verdict;
            if *effect == Effect::Warning {
                tracing::warn!(%object, reason, "{message}");
            } else {
                tracing::error!(%object, ?effect, reason, "{message}");
            }
        }
        self.tell_cleared(&found, &snapshot.verdicts);
        if !found.is_empty() {
            let verdicts = Arc::make_mut(&mut snapshot.verdicts);
            verdicts.extend_from_slice(&found);
            verdicts.sort();
        }
        self.0 = found;
    }

    /// Says what is not found any more. Findings about one object are told apart by their reason only: what is found in
    /// other words still holds.
    fn tell_cleared(&self, found: &[Verdict], others: &[Verdict]) {
        let holds = |before: &Verdict| {
            let is_same =
                |now: &Verdict| now.object == before.object && now.reason == before.reason;
            found.iter().any(is_same) || others.binary_search(before).is_ok()
        };
        let mut told = 0;
        for before in self.0.iter().filter(|before| !holds(before)) {
            let Verdict { object, reason, message, .. } = before;
            told += 1;
            if told <= TOLD {
                tracing::info!(%object, reason, "cleared: {message}");
            } else {
                tracing::debug!(%object, reason, "cleared: {message}");
            }
        }
        if told > TOLD {
            tracing::info!("{} more findings are cleared", told - TOLD);
        }
    }
}
