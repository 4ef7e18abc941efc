//! What is to be said about canaries that get none of the requests that they are meant to get, or more than those (annotations
//! §3.11).

use std::collections::BTreeSet;

use headgate_config::{Effect, UpstreamId, Verdict};

use super::{UpstreamTable, Way, canaries::Candidate};
use crate::translate::ingress::{Accepted, DEFAULT_HOST, host_of};

/// A path: its host, its text, whether it is exact.
type Place<'a> = (&'a str, &'a str, bool);

impl UpstreamTable {
    /// Findings about the canaries of an upstream, and about it as one.
    pub(super) fn canary_remarks(&self, id: &UpstreamId) -> Vec<Verdict> {
        let mut remarks = Vec::new();
        if let Some((first, others)) = self.canaries.candidates(id) {
            remarks.extend(unused(id, first, others));
            remarks.extend(self.without_share(first));
            remarks.extend(self.reaches_further(id, first));
        }
        if self.canaries.is_alternative(id) {
            remarks.extend(self.overruled(id));
        }
        remarks.sort();
        remarks.dedup();
        remarks
    }

    /// A canary whose Service is an ordinary backend, too: of an older Ingress, which says nothing about a share.
    fn without_share(&self, first: &Candidate) -> Option<Verdict> {
        let decider = self.states.get(&first.upstream)?.decider()?;
        let of_older = decider.annotations.canary_rules.is_none();
        of_older.then(|| {
            let message = format!(
                "the canary's Service {} is a backend of {}, too, which is older and no canary, so that nothing says which share it gets: it gets no requests; give the canary a Service of its own",
                name(&first.upstream),
                decider.reference()
            );
            warning(&first.ingress, "CanaryNotUsed", message)
        })
    }

    /// A canary gets its share of all requests for the Service that it stands in for, wherever they come in.
    fn reaches_further(&self, id: &UpstreamId, first: &Candidate) -> Option<Verdict> {
        let mentions = self.states.get(id)?.mentions.iter();
        let ordinary = mentions
            .filter(|mention| mention.way == Way::Path && !mention.ingress.annotations.canary);
        let reached: BTreeSet<_> =
            ordinary.flat_map(|mention| places(&mention.ingress, id)).collect();
        let of_canary = self.states.get(&first.upstream)?.mentions.iter();
        let of_canary = of_canary.filter(|mention| mention.ingress.annotations.canary);
        // As a default backend it stands in for all of the default host.
        let names_all = of_canary.clone().any(|mention| mention.way == Way::Default);
        let named: BTreeSet<_> =
            of_canary.flat_map(|mention| places(&mention.ingress, &first.upstream)).collect();
        let further = reached.difference(&named);
        let mut further = further.filter(|(host, ..)| !names_all || *host != DEFAULT_HOST);
        let (host, path, _) = further.next()?;
        let more = match further.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let message = format!(
            "the canary gets its share of all requests for Service {}, also of those for host {host:?}, path {path:?}{more}, which it does not name; give those another Service if it should not",
            name(id)
        );
        Some(warning(&first.ingress, "CanaryReachesFurther", message))
    }

    /// Canaries with a Service that an older one has, too, and other rules.
    fn overruled(&self, id: &UpstreamId) -> Vec<Verdict> {
        let state = self.states.get(id);
        let Some((state, decider)) = state.and_then(|state| Some((state, state.decider()?))) else {
            return Vec::new();
        };
        let Some(rules) = &decider.annotations.canary_rules else { return Vec::new() };
        let others = state.mentions.iter().map(|mention| &mention.ingress);
        let differs = |other: &Accepted| {
            other.annotations.canary_rules.as_ref().is_some_and(|other| other != rules)
        };
        let others = others.filter(|other| differs(other));
        let overruled = others.map(|other| {
            let message = format!(
                "{} has the Service {} as its canary, too, and is older: its canary-weight and canary-by-… count for both; make them equal, or give this canary a Service of its own",
                decider.reference(),
                name(id)
            );
            warning(other, "CanaryOverruled", message)
        });
        overruled.collect()
    }
}

/// Canaries that come second: an upstream has one.
fn unused<'a>(
    id: &'a UpstreamId,
    first: &'a Candidate,
    others: impl Iterator<Item = &'a Candidate> + 'a,
) -> impl Iterator<Item = Verdict> + 'a {
    let others = others.filter(|other| other.upstream != first.upstream);
    others.map(|other| {
        let message = format!(
            "Service {} has a canary, {} of {}, which comes first: Service {} gets no requests as another; remove one of them",
            name(id),
            name(&first.upstream),
            first.ingress.reference(),
            name(&other.upstream)
        );
        warning(&other.ingress, "CanaryNotUsed", message)
    })
}

/// Where an Ingress has an upstream as a backend.
fn places<'a>(ingress: &'a Accepted, id: &'a UpstreamId) -> impl Iterator<Item = Place<'a>> {
    ingress.rules().iter().flat_map(move |rule| {
        let paths = rule.paths.iter();
        let paths = paths.filter(|path| ingress.upstream(&path.backend).as_ref() == Some(id));
        paths.map(move |path| (host_of(rule), &*path.text, path.is_exact))
    })
}

fn name(UpstreamId { service, port, .. }: &UpstreamId) -> String {
    format!("{service}:{port}")
}

fn warning(ingress: &Accepted, reason: &str, message: String) -> Verdict {
    Verdict { object: ingress.reference(), effect: Effect::Warning, reason: reason.into(), message }
}
