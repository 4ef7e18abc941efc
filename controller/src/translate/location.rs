//! What one location does: its action, redirects, rewrite and limits.

mod claim;
mod exempt;

use std::sync::Arc;

use headgate_config::{
    Action, ClientCertificates, ErrorPages, Forward, HttpsRedirect, Location, Origin, PathMatch,
    Rewrite, Transport, UpstreamId, UpstreamTls, WhenEmpty, snippet::HostSnippet,
};

use super::{
    annotations::{Annotations, Protocol},
    config::Defaults,
    error_pages::Situation,
    guard,
    ingress::Accepted,
    path::Place,
    snippet::attach::Attached,
};
use crate::options::{NamespacedName, Options};

pub use claim::Claim;

/// Makes the locations of one host, in order.
#[derive(Debug)]
pub struct Maker<'a> {
    options: &'a Options,
    defaults: &'a Defaults,
    /// What holds for the clients of the host.
    certificates: Option<&'a ClientCertificates>,
    /// What holds for encryption towards upstreams where a location says nothing itself.
    upstream_tls: Option<&'a Arc<UpstreamTls>>,
    /// What snippets ask for.
    snippets: Attached<'a>,
    /// The origin that was made last: the locations that one path expands to are neighbours and share it.
    last: Option<(Claim<'a>, Arc<Origin>)>,
    /// The error pages that were made last: those of neighbours are mostly the same.
    last_pages: Option<Arc<ErrorPages>>,
}

impl<'a> Maker<'a> {
    /// For a new host.
    pub fn new(
        options: &'a Options,
        defaults: &'a Defaults,
        guards: &'a [Arc<Accepted>],
        ingresses: &'a [Arc<Accepted>],
    ) -> Self {
        let snippets = Attached::new(&defaults.snippets, ingresses);
        let certificates = guard::client_certificates(guards).map(|held| &**held);
        let upstream_tls = guard::upstream_tls(guards).filter(|_| !defaults.own_upstream_tls);
        Self {
            options,
            defaults,
            certificates,
            upstream_tls,
            snippets,
            last: None,
            last_pages: None,
        }
    }

    /// The location for a place in the table.
    pub fn location(&mut self, place: Place<'a, Claim<'a>>) -> Location {
        let annotations = place.annotations;
        let rewrite = place.rewrites().map(|target| Rewrite {
            pattern: place.path().to_owned(),
            target: target.to_owned(),
            forwarded_prefix: annotations.forwarded_prefix.clone(),
        });
        let upstream = place.what.upstream();
        let origin = self.origin(place.what, upstream.as_ref());
        let is_loosened = self
            .certificates
            .zip(place.what.ingress)
            .is_some_and(|(held, ingress)| guard::is_loosened(ingress, held));
        let action = if is_loosened || annotations.denied.is_some() {
            Action::Deny
        } else {
            self.action(annotations, upstream)
        };
        // Nobody owns the default host: its own page is for everybody.
        let is_nobodys = matches!(action, Action::Respond(_)) && origin.object.is_none();
        let protection =
            exempt::protection(self.defaults, annotations, place.path()).filter(|_| !is_nobodys);
        let error_pages = self.error_pages(Situation {
            annotations,
            namespace: place.what.ingress.map(|ingress| ingress.key().namespace()),
            is_denied: action == Action::Deny,
            signs_in: protection.as_ref().is_some_and(|held| held.sign_in.is_some()),
            has_host_page: self.certificates.is_some_and(has_page),
        });
        Location {
            slash_redirect: place.slash_redirect && action != Action::Deny,
            origin,
            action,
            body_limit: annotations.body_limit,
            https_redirect: exempt::https_redirect(self.defaults, annotations, place.path()),
            redirect: annotations.redirect,
            fixed_redirect: annotations.fixed_redirect.clone(),
            cors: annotations.cors.clone(),
            rewrite,
            upstream_host: annotations.upstream_host.clone(),
            headers: annotations.headers.settled(),
            transport: self.transport(annotations, place.what.is_service()),
            proxy: annotations.proxy.clone(),
            protection: self.snippets.protected(annotations, protection),
            error_pages,
            mirror: annotations.mirror.clone(),
            throttle: annotations.throttle,
            snippet: self.snippets.location(annotations),
            spans: annotations.spans.settled(),
            access_log: annotations.access_log,
            matcher: place.matcher,
        }
    }

    /// The paths that the default host answers itself.
    pub fn built_in(&self) -> [Location; 2] {
        [
            self.own(&self.options.health_check_path, Action::Health),
            self.own("/nginx_status", Action::ConnectionStatus),
        ]
    }

    /// What snippets ask for in the host itself.
    pub fn host_snippet(&self) -> Option<Arc<HostSnippet>> {
        let access_log = self.defaults.plain.access_log;
        self.snippets.host(|ingress, matcher| {
            let (PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::Pattern(path)) =
                &matcher;
            let is_loosened = self
                .certificates
                .zip(ingress)
                .is_some_and(|(held, ingress)| guard::is_loosened(ingress, held));
            let action = if is_loosened { Action::Deny } else { Action::Respond(404) };
            let own = self.own(path, action);
            let object = ingress.map(Accepted::reference);
            let origin = Arc::new(Origin { object, ..Origin::clone(&own.origin) });
            Location { matcher, origin, access_log, ..own }
        })
    }

    fn own(&self, path: &str, action: Action) -> Location {
        let plain = &self.defaults.default_host;
        Location {
            matcher: PathMatch::Prefix(path.to_owned()),
            slash_redirect: false,
            origin: Arc::new(Origin { path: path.to_owned(), ..Origin::default() }),
            action,
            body_limit: plain.body_limit,
            https_redirect: HttpsRedirect::Never,
            redirect: plain.redirect,
            fixed_redirect: None,
            cors: None,
            rewrite: None,
            upstream_host: None,
            headers: None,
            proxy: plain.proxy.clone(),
            transport: None,
            protection: None,
            error_pages: None,
            mirror: None,
            throttle: None,
            snippet: None,
            spans: None,
            access_log: false,
        }
    }

    fn origin(&mut self, claim: Claim<'a>, upstream: Option<&UpstreamId>) -> Arc<Origin> {
        if let Some((last, origin)) = &self.last
            && last.is_same(&claim)
        {
            return origin.clone();
        }
        let origin = Arc::new(Origin {
            object: claim.ingress.map(Accepted::reference),
            path: claim.path.map_or("/", |path| &path.text).to_owned(),
            service: upstream.map(|id| id.service.clone()).unwrap_or_default(),
            port: upstream.map(|id| id.port.clone()).unwrap_or_default(),
        });
        self.last = Some((claim, origin.clone()));
        origin
    }

    fn error_pages(&mut self, situation: Situation<'_>) -> Option<Arc<ErrorPages>> {
        let pages = situation.pages(self.options, self.defaults)?;
        match &self.last_pages {
            Some(last) if **last == pages => {}
            _ => self.last_pages = Some(Arc::new(pages)),
        }
        self.last_pages.clone()
    }

    fn action(&self, annotations: &Annotations, upstream: Option<UpstreamId>) -> Action {
        match (upstream, &self.options.default_backend_service) {
            (Some(upstream), _) => {
                // Whether that Service exists shows when it is needed: without endpoints it is as none.
                let fallback = annotations.default_backend.as_ref().map(|service| UpstreamId {
                    namespace: upstream.namespace.clone(),
                    service: service.clone(),
                    port: String::new(),
                });
                let when_empty = fallback.map_or(WhenEmpty::Respond(503), |service| {
                    WhenEmpty::Fallback(Box::new(service))
                });
                Action::Forward(Forward { upstream, when_empty })
            }
            (None, Some(service)) => {
                let upstream = first_port_of(service);
                Action::Forward(Forward { upstream, when_empty: WhenEmpty::Respond(404) })
            }
            (None, None) => Action::Respond(404),
        }
    }

    /// How the upstream is spoken to. The default backend of all is always spoken to in clear.
    fn transport(&self, annotations: &Annotations, is_service: bool) -> Option<Transport> {
        let own = annotations.upstream_tls.as_ref().map(|said| &said.tls);
        let tls = || own.or(self.upstream_tls).cloned().unwrap_or_default();
        // In the reference nothing of it counts for gRPC; here what asks for verification does.
        let verified = || own.filter(|tls| tls.verify.is_some()).cloned().unwrap_or_default();
        let transport = match annotations.upstream_protocol() {
            Protocol::Http => return None,
            Protocol::Https => Transport::Https(tls()),
            Protocol::AutoHttp => Transport::AsListener(tls()),
            Protocol::Grpc => Transport::Grpc(None),
            Protocol::Grpcs => Transport::Grpc(Some(verified())),
            Protocol::FastCgi => Transport::FastCgi(annotations.fastcgi.clone()),
        };
        Some(transport).filter(|_| is_service)
    }
}

/// Whether a host answers bad certificates with a page of its own.
fn has_page(certificates: &ClientCertificates) -> bool {
    matches!(certificates, ClientCertificates::Verify(held) if held.error_page.is_some())
}

/// The upstream of a Service's first port, which has no port in its name.
pub fn first_port_of(service: &NamespacedName) -> UpstreamId {
    UpstreamId {
        namespace: service.namespace.clone(),
        service: service.name.clone(),
        port: String::new(),
    }
}
