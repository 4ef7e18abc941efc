//! Compiles one location. What of it cannot be used denies it, where leaving that out would serve what nobody asked for.

use std::sync::Arc;

use headgate_config::{Action, Host, Location, UpstreamId, Verdict};
use http::HeaderValue;

use super::Compiler;
use crate::{
    filter::{cors::Cors, redirect::fixed::FixedRedirect, response_headers::AnswerHeaders},
    live::{
        error_pages::LiveErrorPages,
        finding,
        host::{LiveAction, LiveLocation, LiveWhenEmpty, UpstreamRef},
        mirror::LiveMirror,
        protection::{LiveProtection, Shared},
        snippet::LiveSnippet,
        transport::LiveTransport,
    },
    observe::spans::LiveSpans,
    route::rewrite::RewriteProgram,
};

/// A location of `host` that is being compiled.
struct Draft<'a> {
    compiler: &'a Compiler,
    host: &'a Host,
    spec: &'a Arc<Location>,
    action: LiveAction,
    findings: &'a mut Vec<Verdict>,
}

impl Compiler {
    /// The compiled form of a location of `host`; what is wrong with it joins `findings`.
    pub(super) fn location(
        &self,
        host: &Host,
        spec: &Arc<Location>,
        findings: &mut Vec<Verdict>,
    ) -> LiveLocation {
        let action = self.action(&spec.action);
        Draft { compiler: self, host, spec, action, findings }.finish()
    }

    fn action(&self, action: &Action) -> LiveAction {
        match action {
            Action::Respond(status) => LiveAction::Respond(*status),
            Action::Health => LiveAction::Health,
            Action::ConnectionStatus => LiveAction::ConnectionStatus,
            Action::Deny => LiveAction::Deny,
            // A snapshot holds every upstream that it mentions; should one be missing its location is denied.
            Action::Forward(forward) => match self.upstream(&forward.upstream) {
                None => LiveAction::Deny,
                Some(upstream) => LiveAction::Forward {
                    upstream,
                    when_empty: LiveWhenEmpty::new(&forward.when_empty, |id| self.upstream(id)),
                },
            },
        }
    }

    fn upstream(&self, id: &UpstreamId) -> Option<UpstreamRef> {
        self.registry.find(id).map(Arc::clone)
    }
}

impl Draft<'_> {
    fn finish(mut self) -> LiveLocation {
        let rewrite = self.rewrite();
        let snippet = self.snippet();
        let headers = self.headers();
        let transport = self.transport();
        let protection = self.protection();
        let Self { compiler, host, spec, action, .. } = self;
        let find = |id: &UpstreamId| compiler.upstream(id);
        LiveLocation {
            error_pages: LiveErrorPages::new(spec, &action, find),
            mirror: LiveMirror::new(spec, find),
            spans: LiveSpans::new(host, spec),
            action,
            transport: transport.map(Box::new),
            fixed_redirect: spec.fixed_redirect.as_deref().map(FixedRedirect::new).map(Box::new),
            cors: spec.cors.as_deref().map(Cors::new).map(Box::new),
            rewrite: rewrite.map(Box::new),
            protection: protection.map(Box::new),
            snippet,
            headers: headers.map(Box::new),
            key: compiler.metrics.location(&spec.origin),
            fixed_host: fixed_host(spec).map(Box::new),
            spec: Arc::clone(spec),
        }
    }

    /// Denies the location, and says why.
    fn deny(&mut self, finding: Option<Verdict>) {
        self.findings.extend(finding);
        self.action = LiveAction::Deny;
    }

    fn rewrite(&mut self) -> Option<RewriteProgram> {
        let rewrite = self.spec.rewrite.as_ref()?;
        RewriteProgram::compile(rewrite)
            .map_err(|error| {
                self.deny(finding::broken_rewrite(self.host, self.spec, rewrite, &error));
            })
            .ok()
    }

    fn snippet(&mut self) -> Option<Box<LiveSnippet>> {
        LiveSnippet::new(self.spec.snippet.as_ref()?)
            .map_err(|error| {
                let object = self.spec.origin.object.as_ref();
                self.deny(finding::broken_snippet(self.host, object, &error));
            })
            .ok()
    }

    fn transport(&mut self) -> Option<LiveTransport> {
        LiveTransport::new(self.spec.transport.as_ref()?, &self.compiler.clients)
            .map_err(|problem| {
                self.deny(finding::unusable_transport(self.host, self.spec, &problem));
            })
            .ok()
    }

    fn headers(&mut self) -> Option<AnswerHeaders> {
        let rules = self.spec.headers.as_ref()?;
        let unusable = |field, error| {
            let finding = finding::unusable_replacement(self.host, self.spec, field, &error);
            self.findings.extend(finding);
        };
        Some(AnswerHeaders::new(rules, unusable))
    }

    fn protection(&self) -> Option<LiveProtection> {
        let spec = self.spec.protection.as_ref()?;
        let shared = Shared {
            limits: &self.compiler.limits,
            passwords: &self.compiler.passwords,
            keys: &self.compiler.keys,
            tokens: &self.compiler.tokens,
        };
        let find = |id: &UpstreamId| self.compiler.upstream(id);
        LiveProtection::new(spec, &self.host.name, self.spec, find, shared)
    }
}

/// `Host` for the upstream where it is the same for all requests.
fn fixed_host(spec: &Location) -> Option<HeaderValue> {
    let host = spec.upstream_host.as_ref().filter(|host| !host.contains('$'))?;
    HeaderValue::from_str(host).ok()
}
