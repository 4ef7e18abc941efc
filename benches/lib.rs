//! Tables and requests that the route benches share, and the linear scan that they are compared with.

use std::sync::Arc;

use headgate_config::{
    Action, Host, HostPattern, HttpsRedirect, Location, Origin, PathMatch, PathMode, ProxySettings,
    Redirect,
};
use pcre2::bytes::{Regex, RegexBuilder};

/// A host and requests for it.
pub struct Case {
    /// The host, its locations in order.
    pub host: Host,
    /// Paths that a location takes, spread over the whole table in no order.
    pub hits: Vec<Vec<u8>>,
    /// Paths of the same kind that no location takes.
    pub misses: Vec<Vec<u8>>,
}

/// A host of `routes` rule paths of type Prefix, each of which is two locations.
pub fn plain_host(routes: usize) -> Case {
    let path = |n: usize| match n % 3 {
        0 => format!("/service-{n}"),
        1 => format!("/team-{}/service-{n}", n % 97),
        _ => format!("/api/v{}/team-{}/service-{n}", n % 4, n % 97),
    };
    let location = |n: usize| {
        let path = path(n);
        [PathMatch::Prefix(format!("{path}/")), PathMatch::Exact(path)]
    };
    let request = |n: usize, known: bool| match (known, n % 2) {
        (true, 0) => format!("{}/orders/17", path(n)),
        (true, _) => path(n),
        (false, _) => format!("{}x/orders/17", path(n)),
    };
    Case {
        host: host(PathMode::Literal, (0..routes).flat_map(location).collect()),
        hits: shuffled(routes, |n| request(n, true)),
        misses: shuffled(routes, |n| request(n, false)),
    }
}

/// How the patterns of a regular-expression host look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As people write them: a literal start, a version, an id, some with a wildcard in front.
    Mixed,
    /// All the same up to a number in the middle, behind a set: nothing literal tells them apart.
    Versioned,
    /// All with a wildcard in front.
    Suffixes,
    /// Literal texts only.
    Literal,
    /// All with a lookahead, which takes the backtracking engine.
    Lookahead,
}

impl Shape {
    fn pattern(self, n: usize) -> String {
        match (self, n % 20) {
            (Self::Literal, _) | (Self::Mixed, 0..2) => format!("/plain/service-{n}/path"),
            (Self::Lookahead, _) => format!("/service-{n}(?!/internal)(/|$)(.*)"),
            (Self::Versioned, _) | (Self::Mixed, 2..6) => format!("/api/v[0-9]+/service-{n}/(.*)"),
            (Self::Suffixes, _) | (Self::Mixed, 6) => format!("/.*/file-{n}\\.(png|jpg)$"),
            (Self::Mixed, 7..9) => format!("/service-{n}/[^/]+/comments"),
            (Self::Mixed, 9..11) => format!("/shop/[a-z]+/item-{n}/?$"),
            (Self::Mixed, 11) => format!("/static-{n}/.*\\.js$"),
            (Self::Mixed, _) => format!("/service-{n}(/|$)(.*)"),
        }
    }

    fn request(self, n: usize, known: bool) -> String {
        let number = if known { n.to_string() } else { format!("{n}x") };
        match (self, n % 20) {
            (Self::Literal, _) | (Self::Mixed, 0..2) => format!("/plain/service-{number}/path/x"),
            (Self::Versioned, _) | (Self::Mixed, 2..6) => {
                format!("/api/v{}/service-{number}/orders/17", n % 30)
            }
            (Self::Suffixes, _) | (Self::Mixed, 6) => {
                format!("/assets/{}/file-{number}.png", n % 100)
            }
            (Self::Mixed, 7..9) => format!("/service-{number}/{}/comments", n % 1000),
            (Self::Mixed, 9..11) => format!("/shop/books/item-{number}"),
            (Self::Mixed, 11) => format!("/static-{number}/app/main.js"),
            (Self::Mixed | Self::Lookahead, _) => format!("/service-{number}/orders/17"),
        }
    }
}

/// A regular-expression host: the longest pattern first, as the controller orders them.
pub fn pattern_host(patterns: usize, shape: Shape) -> Case {
    let mut texts: Vec<String> = (0..patterns).map(|n| shape.pattern(n)).collect();
    texts.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| b.cmp(a)));
    Case {
        host: host(PathMode::Pattern, texts.into_iter().map(PathMatch::Pattern).collect()),
        hits: shuffled(patterns, |n| shape.request(n, true)),
        misses: shuffled(patterns, |n| shape.request(n, false)),
    }
}

/// Hosts by name: every tenth is a one-label wildcard.
pub fn hosts(count: usize) -> Vec<Host> {
    let name = |n: usize| {
        let pattern = match n % 10 {
            0 => HostPattern::OneLabel(format!("team-{n}.example.com")),
            _ => HostPattern::Exact(format!("service-{n}.example.com")),
        };
        Host { name: n.to_string(), pattern, ..host(PathMode::Literal, Vec::new()) }
    };
    (0..count).map(name).collect()
}

/// Names of requests for [`hosts`], in no order.
pub fn host_names(count: usize) -> Vec<Vec<u8>> {
    shuffled(count, |n| match n % 10 {
        0 => format!("www.team-{n}.example.com"),
        _ => format!("service-{n}.example.com"),
    })
}

fn host(mode: PathMode, matchers: Vec<PathMatch>) -> Host {
    let (origin, proxy) = (Arc::new(Origin::default()), Arc::new(ProxySettings::default()));
    let location = |matcher| {
        Arc::new(Location {
            matcher,
            slash_redirect: false,
            origin: Arc::clone(&origin),
            action: Action::Respond(404),
            body_limit: None,
            https_redirect: HttpsRedirect::Never,
            redirect: Redirect::default(),
            fixed_redirect: None,
            cors: None,
            rewrite: None,
            upstream_host: None,
            headers: None,
            proxy: Arc::clone(&proxy),
            protection: None,
            error_pages: None,
            mirror: None,
            throttle: None,
            transport: None,
            snippet: None,
            spans: None,
            access_log: true,
        })
    };
    Host {
        name: "bench.test".to_owned(),
        pattern: HostPattern::Exact("bench.test".to_owned()),
        aliases: Vec::new(),
        mode,
        locations: matchers.into_iter().map(location).collect(),
        alias_origin: None,
        app_root: None,
        redirect_to: None,
        client_certificates: None,
        snippet: None,
        ciphers: None,
        origin: None,
    }
}

/// Up to 4,000 requests for numbers spread evenly over `0..count`, in an order without a pattern.
fn shuffled(count: usize, request: impl Fn(usize) -> String) -> Vec<Vec<u8>> {
    let wanted = count.clamp(1, 4000);
    // a step that has no factor in common with any count used here walks over all of them
    let step = 7_919;
    (0..wanted).map(|k| request(k * (count / wanted) * step % count).into_bytes()).collect()
}

/// The patterns of a host, tried in their order: what nginx does.
pub struct LinearScan(Vec<Regex>);

impl LinearScan {
    /// Compiles the patterns of a host as nginx would, with JIT where there is one.
    ///
    /// # Errors
    ///
    /// If PCRE2 refuses a pattern.
    pub fn new(host: &Host) -> Result<Self, pcre2::Error> {
        let mut builder = RegexBuilder::new();
        builder.caseless(true).jit_if_available(true);
        let texts = host.locations.iter().filter_map(|location| match &location.matcher {
            PathMatch::Pattern(text) => Some(text),
            _ => None,
        });
        texts.map(|text| builder.build(&format!("^{text}"))).collect::<Result<_, _>>().map(Self)
    }

    /// The first pattern that matches.
    pub fn find(&self, path: &[u8]) -> Option<usize> {
        self.0.iter().position(|regex| regex.is_match(path).unwrap_or(false))
    }
}
