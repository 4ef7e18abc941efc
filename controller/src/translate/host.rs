//! One host: its path table with what each location does (routing §2, §4).
//!
//! A host depends on its Ingresses, on the defaults and on nothing else: not on Services, Secrets or other hosts. Its
//! aliases are left to [`hosts`](super::hosts), because they depend on all hosts.

use std::sync::Arc;

use headgate_config::{Host, HostCiphers, HostPattern, PathMode};

use super::{
    config::Defaults,
    guard,
    ingress::{Accepted, DEFAULT_HOST, host_of},
    location::{Claim, Maker},
    path::{Entry, Paths, Table},
};
use crate::options::Options;

/// Who has a say in a host.
#[derive(Debug)]
pub struct Members<'a> {
    /// The host's name.
    pub name: &'a str,
    /// Ingresses with a rule for the host, oldest first.
    pub ingresses: &'a [Arc<Accepted>],
    /// The Ingress that takes the `/` of the default host.
    pub catch_all: Option<&'a Arc<Accepted>>,
    /// Ingresses with what holds for the whole host, oldest first.
    pub guards: &'a [Arc<Accepted>],
}

/// A host that was built.
#[derive(Debug)]
pub struct Built {
    /// The host, without its aliases.
    pub host: Host,
    /// Whether one of its locations asks for a redirect from the name with or without `www.` (annotations §1.10).
    pub www_redirect: bool,
}

/// Builds a host.
pub fn build(options: &Options, defaults: &Defaults, members: &Members<'_>) -> Built {
    let for_catch_all = |ingress: &Arc<Accepted>| Arc::new(ingress.annotations.for_catch_all());
    let catch_all = members.catch_all.map(|ingress| (ingress, for_catch_all(ingress)));
    // The implicit `/`: of the Ingress that names the host first, with its annotations and its default backend; of the
    // default host, without any unless a catch-all Ingress has it (routing §2.1–2.3).
    let creator = members.ingresses.first();
    let mut paths = match (members.name == DEFAULT_HOST, &catch_all) {
        (true, Some((ingress, annotations))) => Paths::with_root(annotations, Claim::root(ingress)),
        (true, None) => Paths::new(&defaults.default_host, Claim::default()),
        (false, _) => Paths::new(
            creator.map_or(&defaults.plain, |ingress| &ingress.annotations),
            creator.map(|ingress| Claim::root(ingress)).unwrap_or_default(),
        ),
    };
    for ingress in members.ingresses {
        for rule in ingress.rules().iter().filter(|rule| host_of(rule) == members.name) {
            for path in &rule.paths {
                if let Some(claim) = Claim::path(ingress, path) {
                    let annotations = &ingress.annotations;
                    let (path, exact) = (&*path.text, path.is_exact);
                    paths.add(Entry { path, exact, annotations, what: claim });
                }
            }
        }
    }
    let Table { mode, app_root, places } = paths.finish();
    let www_redirect = places.iter().any(|place| place.annotations.www_redirect);
    let mut maker = Maker::new(options, defaults, members.guards, members.ingresses);
    let mut locations = Vec::with_capacity(places.len() + 2);
    locations.extend(places.into_iter().map(|place| Arc::new(maker.location(place))));
    // A regular expression for `/` hides the built-in paths (routing §5.5).
    if members.name == DEFAULT_HOST && mode == PathMode::Literal {
        locations.extend(maker.built_in().map(Arc::new));
    }
    locations.shrink_to_fit();
    let host = Host {
        name: members.name.to_owned(),
        pattern: pattern(members.name),
        aliases: Vec::new(),
        alias_origin: None,
        mode,
        locations,
        app_root,
        redirect_to: None,
        client_certificates: guard::client_certificates(members.guards).cloned(),
        snippet: maker.host_snippet(),
        ciphers: ciphers(defaults, members.ingresses),
        origin: creator.or(members.catch_all).map(|ingress| ingress.reference()),
    };
    Built { host, www_redirect }
}

/// What the host offers, if that is other than what all do. For the list and for the order the oldest Ingress that says
/// something decides (annotations §1.10).
fn ciphers(defaults: &Defaults, ingresses: &[Arc<Accepted>]) -> Option<HostCiphers> {
    let suites = ingresses.iter().find_map(|ingress| ingress.annotations.ssl_ciphers.clone());
    let own_order = ingresses.iter().find_map(|ingress| ingress.annotations.ssl_own_order);
    let ciphers = HostCiphers {
        suites: suites.unwrap_or_else(|| defaults.ciphers.suites.clone()),
        own_order: own_order.unwrap_or(defaults.ciphers.own_order),
    };
    (ciphers != defaults.ciphers).then_some(ciphers)
}

fn pattern(name: &str) -> HostPattern {
    match name.strip_prefix("*.") {
        _ if name == DEFAULT_HOST => HostPattern::Default,
        Some(parent) => HostPattern::OneLabel(parent.to_owned()),
        None => HostPattern::Exact(name.to_owned()),
    }
}
