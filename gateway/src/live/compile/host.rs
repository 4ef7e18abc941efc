//! Compiles one host: its paths, its locations, what its snippet and its clients' certificates ask for.

use std::{borrow::Cow, sync::Arc};

use headgate_config::{Action, Host, Location, PathMatch, Verdict, snippet::HostSnippet};

use super::{Compiler, identity};
use crate::{
    client_certificate::Policy,
    live::{finding, host::LiveHost, snippet::LiveHostSnippet},
    route::path::PathTable,
};

impl Compiler {
    /// The compiled form of a host; the one of before if it is the same.
    pub(super) fn host(&self, host: &Arc<Host>) -> Arc<LiveHost> {
        if let Some(live) = self.hosts.get(&identity(host)) {
            return Arc::clone(live);
        }
        let mut table = PathTable::compile(host);
        let mut findings: Vec<_> =
            table.errors().iter().filter_map(|error| finding::broken_path(host, error)).collect();
        let mut specs = Cow::Borrowed(&host.locations);
        if !table.errors().is_empty() {
            // Left out, its requests would fall to a broader location, which may protect them less.
            let mut fenced = Host::clone(host);
            for error in table.errors() {
                deny(&mut fenced.locations[error.location]);
            }
            table = PathTable::compile(&fenced);
            specs = Cow::Owned(fenced.locations);
        }
        let compile = |spec| Arc::new(self.location(host, spec, &mut findings));
        let locations = specs.iter().map(compile).collect();
        let snippet =
            host.snippet.as_ref().map(|spec| self.host_snippet(host, spec, &mut findings));
        let certificates = host.client_certificates.as_ref().map(|spec| {
            Policy::new(spec, &self.trusts).unwrap_or_else(|problem| {
                findings.extend(finding::unusable_authorities(host, spec, &problem));
                Policy::Refuse
            })
        });
        let findings = findings.into();
        Arc::new(LiveHost::new(
            host,
            table,
            locations,
            certificates,
            snippet,
            findings,
            &self.metrics,
        ))
    }

    fn host_snippet(
        &self,
        host: &Host,
        spec: &Arc<HostSnippet>,
        findings: &mut Vec<Verdict>,
    ) -> Box<LiveHostSnippet> {
        let compile = |spec: &Arc<Location>| Arc::new(self.location(host, spec, findings));
        let snippet = LiveHostSnippet::new(spec, compile);
        if let Some(error) = &snippet.error {
            findings.extend(finding::broken_snippet(host, host.origin.as_ref(), error));
        }
        snippet
    }
}

/// Replaces a pattern that cannot be used by the plain text that it begins with, and denies what has that.
fn deny(location: &mut Arc<Location>) {
    if let PathMatch::Pattern(pattern) = &location.matcher {
        let plain =
            |c: &char| c.is_alphanumeric() || matches!(c, '/' | '-' | '_' | '%' | '~' | ' ');
        let mut text: String = pattern.chars().take_while(plain).collect();
        if pattern.contains('|') {
            // Nobody knows which of the alternatives is meant by it.
            text.clear();
        } else if text.len() < pattern.len() {
            // What is behind it may make the last character optional, or one of several.
            text.pop();
        }
        let matcher = PathMatch::Pattern(if text.is_empty() { "/".into() } else { text });
        *location = Arc::new(Location {
            matcher,
            action: Action::Deny,
            rewrite: None,
            ..Location::clone(location)
        });
    }
}
