//! One host: its path table with what each location does (routing §2, §4).
//!
//! A host depends on its Ingresses, on the defaults and on nothing else: not on Services, Secrets or other hosts. Its
//! aliases are left to [`alias`](super::alias), because they depend on all hosts.

use std::sync::Arc;

use headgate_config::{
    Action, Forward, Host, HostPattern, HttpsRedirect, Location, ObjectRef, Origin, PathMatch,
    PathMode, Rewrite, UpstreamId, WhenEmpty,
};

use super::{
    annotations::Annotations,
    config::Defaults,
    ingress::{Accepted, DEFAULT_HOST, host_of},
    path::{Entry, Paths, Place},
};
use crate::options::{NamespacedName, Options};

/// Who has a say in a host.
#[derive(Debug)]
pub struct Members<'a> {
    /// The host's name.
    pub name: &'a str,
    /// Ingresses with a rule for the host, oldest first.
    pub ingresses: &'a [Arc<Accepted>],
    /// The Ingress that takes the `/` of the default host.
    pub catch_all: Option<&'a Arc<Accepted>>,
}

/// What a location is made from.
#[derive(Clone, Debug)]
struct Backend {
    origin: Arc<Origin>,
    target: Target,
}

#[derive(Clone, Debug)]
enum Target {
    /// The Service of a rule or of `spec.defaultBackend`.
    Service(UpstreamId),
    /// The default backend of the whole installation.
    Global,
}

/// Builds a host without its aliases.
pub fn build(options: &Options, defaults: &Defaults, members: &Members<'_>) -> Host {
    let mut paths = root(defaults, members);
    for ingress in members.ingresses {
        for rule in ingress.rules().iter().filter(|rule| host_of(rule) == members.name) {
            for path in &rule.paths {
                let Some(upstream) = ingress.upstream(&path.backend) else {
                    continue;
                };
                paths.add(Entry {
                    path: path.text.to_string(),
                    exact: path.is_exact,
                    annotations: ingress.annotations.clone(),
                    what: Backend {
                        origin: origin(Some(ingress.reference()), &path.text, Some(&upstream)),
                        target: Target::Service(upstream),
                    },
                });
            }
        }
    }
    let (mode, places) = paths.finish();
    let app_root = places.iter().find_map(|place| place.annotations.app_root.clone());
    let maker = Maker { options, defaults, mode };
    let mut locations: Vec<_> =
        places.into_iter().map(|place| Arc::new(maker.location(place))).collect();
    if members.name == DEFAULT_HOST && mode == PathMode::Literal {
        locations.push(Arc::new(maker.health()));
    }
    Host {
        name: members.name.to_owned(),
        pattern: pattern(members.name),
        aliases: Vec::new(),
        mode,
        locations,
        app_root,
        origin: members.ingresses.first().or(members.catch_all).map(|ingress| ingress.reference()),
    }
}

fn pattern(name: &str) -> HostPattern {
    match name.strip_prefix("*.") {
        _ if name == DEFAULT_HOST => HostPattern::Default,
        Some(parent) => HostPattern::OneLabel(parent.to_owned()),
        None => HostPattern::Exact(name.to_owned()),
    }
}

/// The table with the implicit `/`: of the Ingress that names the host first, with its annotations and its default
/// backend; of the default host, without any unless a catch-all Ingress has it (routing §2.1–2.3).
fn root(defaults: &Defaults, members: &Members<'_>) -> Paths<Backend> {
    let backend = |ingress: Option<&Arc<Accepted>>| {
        let service = ingress.and_then(|ingress| ingress.default_backend());
        Backend {
            origin: origin(ingress.map(|ingress| ingress.reference()), "/", service.as_ref()),
            target: service.map_or(Target::Global, Target::Service),
        }
    };
    if members.name != DEFAULT_HOST {
        let creator = members.ingresses.first();
        let annotations =
            creator.map_or_else(|| defaults.plain.clone(), |ingress| ingress.annotations.clone());
        return Paths::new(annotations, backend(creator));
    }
    match members.catch_all {
        Some(ingress) => {
            let annotations = Arc::new(ingress.annotations.for_catch_all());
            Paths::with_root(annotations, backend(Some(ingress)))
        }
        None => Paths::new(defaults.default_host.clone(), backend(None)),
    }
}

fn origin(object: Option<ObjectRef>, path: &str, service: Option<&UpstreamId>) -> Arc<Origin> {
    Arc::new(Origin {
        object,
        path: path.to_owned(),
        service: service.map(|id| id.service.clone()).unwrap_or_default(),
        port: service.map(|id| id.port.clone()).unwrap_or_default(),
    })
}

/// Makes locations of one host.
struct Maker<'a> {
    options: &'a Options,
    defaults: &'a Defaults,
    mode: PathMode,
}

impl Maker<'_> {
    fn location(&self, place: Place<Backend>) -> Location {
        let annotations = &place.annotations;
        let rewrite = place.rewrites().map(|target| Rewrite {
            pattern: place.path().to_owned(),
            target: target.to_owned(),
            forwarded_prefix: annotations.forwarded_prefix.clone(),
        });
        let action = match &annotations.denied {
            Some(_) => Action::Deny,
            None => self.action(annotations, &place.what),
        };
        Location {
            slash_redirect: place.slash_redirect
                && self.mode == PathMode::Literal
                && action != Action::Deny,
            origin: place.what.origin.clone(),
            action,
            body_limit: annotations.body_limit,
            https_redirect: self.https_redirect(annotations, place.path()),
            redirect: annotations.redirect,
            rewrite,
            upstream_host: annotations.upstream_host.clone(),
            proxy: annotations.proxy.clone(),
            access_log: annotations.access_log,
            matcher: place.matcher,
        }
    }

    fn action(&self, annotations: &Annotations, backend: &Backend) -> Action {
        match (&backend.target, &self.options.default_backend_service) {
            (Target::Service(upstream), _) => {
                // Whether that Service exists shows when it is needed: without endpoints it is as none.
                let fallback = annotations.default_backend.as_ref().map(|service| UpstreamId {
                    namespace: upstream.namespace.clone(),
                    service: service.clone(),
                    port: String::new(),
                });
                Action::Forward(Forward {
                    upstream: upstream.clone(),
                    when_empty: fallback.map_or(WhenEmpty::Respond(503), WhenEmpty::Fallback),
                })
            }
            (Target::Global, Some(service)) => Action::Forward(Forward {
                upstream: first_port_of(service),
                when_empty: WhenEmpty::Respond(404),
            }),
            (Target::Global, None) => Action::Respond(404),
        }
    }

    /// Routing §9.1. The exemption looks at the location's path, not at the request's.
    fn https_redirect(&self, annotations: &Annotations, path: &str) -> HttpsRedirect {
        if self.defaults.no_tls_redirect.iter().any(|prefix| path.starts_with(prefix.as_str())) {
            HttpsRedirect::Never
        } else if annotations.force_ssl_redirect {
            HttpsRedirect::Always
        } else if annotations.ssl_redirect {
            HttpsRedirect::IfCertificate
        } else {
            HttpsRedirect::Never
        }
    }

    /// The path that the default host answers itself. A regular expression for `/` hides it (routing §5.5).
    fn health(&self) -> Location {
        let plain = &self.defaults.default_host;
        Location {
            matcher: PathMatch::Prefix(self.options.health_check_path.clone()),
            slash_redirect: false,
            origin: origin(None, &self.options.health_check_path, None),
            action: Action::Health,
            body_limit: plain.body_limit,
            https_redirect: HttpsRedirect::Never,
            redirect: plain.redirect,
            rewrite: None,
            upstream_host: None,
            proxy: plain.proxy.clone(),
            access_log: false,
        }
    }
}

/// The upstream of a Service's first port, which has no port in its name.
pub fn first_port_of(service: &NamespacedName) -> UpstreamId {
    UpstreamId {
        namespace: service.namespace.clone(),
        service: service.name.clone(),
        port: String::new(),
    }
}
