//! Small tables for tests.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use headgate_config::{
    Action, Blocked, Endpoints, Forward, ForwardedHeaders, Host, HostPattern, HttpsRedirect,
    Location, ObjectRef, Origin, PathMatch, PathMode, ProxySettings, Redirect, Settings, Snapshot,
    Upstream, UpstreamId, Upstreams, WhenEmpty, protection::LimitCounting,
};

/// A table under construction.
#[derive(Default)]
pub struct Table {
    hosts: BTreeMap<String, Vec<Arc<Location>>>,
    upstreams: Upstreams,
    settings: Settings,
}

/// The identity of an upstream of tests.
pub fn id(name: &str) -> UpstreamId {
    UpstreamId { namespace: "default".into(), service: name.into(), port: "80".into() }
}

/// A location that sends to `upstream`.
pub fn location(matcher: PathMatch, upstream: &str) -> Location {
    let slash_redirect = matches!(&matcher, PathMatch::Prefix(path) if path.len() > 1);
    Location {
        matcher,
        slash_redirect,
        origin: Arc::new(Origin {
            object: Some(ObjectRef {
                kind: "Ingress".into(),
                namespace: "default".into(),
                name: "test".into(),
            }),
            path: "/".into(),
            service: upstream.into(),
            port: "80".into(),
        }),
        action: Action::Forward(Forward {
            upstream: id(upstream),
            when_empty: WhenEmpty::Respond(503),
        }),
        body_limit: Some(1024 * 1024),
        https_redirect: HttpsRedirect::Never,
        redirect: Redirect::default(),
        fixed_redirect: None,
        cors: None,
        rewrite: None,
        upstream_host: None,
        headers: None,
        proxy: Arc::new(ProxySettings::default()),
        protection: None,
        error_pages: None,
        mirror: None,
        throttle: None,
        transport: None,
        snippet: None,
        spans: None,
        access_log: true,
    }
}

/// The same for everything below `/`, to be made other than usual.
pub fn root(upstream: &str, change: impl FnOnce(&mut Location)) -> Location {
    let mut location = location(PathMatch::Prefix("/".into()), upstream);
    change(&mut location);
    location
}

impl Table {
    /// Adds an upstream.
    pub fn upstream(self, name: &str, endpoints: &[SocketAddr]) -> Self {
        self.balanced(name, endpoints, |_| {})
    }

    /// Adds an upstream that is made other than usual.
    pub fn balanced(
        mut self,
        name: &str,
        endpoints: &[SocketAddr],
        change: impl FnOnce(&mut Upstream),
    ) -> Self {
        let endpoints = Endpoints::Addresses(endpoints.to_vec());
        let mut upstream = Upstream::new(id(name), endpoints);
        change(&mut upstream);
        self.upstreams.insert(Arc::new(upstream));
        self
    }

    /// Adds a location that takes everything below a path.
    pub fn prefix(self, host: &str, path: &str, upstream: &str) -> Self {
        self.location(host, location(PathMatch::Prefix(path.into()), upstream))
    }

    /// Adds a location.
    pub fn location(mut self, host: &str, location: Location) -> Self {
        self.hosts.entry(host.into()).or_default().push(Arc::new(location));
        self
    }

    /// Writes the access log in this format.
    pub fn log_format(mut self, format: &str) -> Self {
        self.settings.log_format = Some(format.into());
        self
    }

    /// Changes any other setting.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Keeps this many idle connections to upstreams.
    pub fn idle_connections(mut self, count: usize) -> Self {
        self.settings.upstream_keepalive = count;
        self
    }

    /// Expects a PROXY header of every connection.
    pub fn behind_balancer(mut self) -> Self {
        self.settings.proxy_protocol = true;
        self
    }

    /// Believes forwarding headers like this.
    pub fn forwarded(mut self, rules: ForwardedHeaders) -> Self {
        self.settings.forwarded = rules;
        self
    }

    /// Counts shared limits there.
    pub fn limit_store(mut self, store: impl Into<LimitCounting>) -> Self {
        self.settings.limit_store = Some(store.into());
        self
    }

    /// Refuses these everywhere.
    pub fn blocked(mut self, blocked: Blocked) -> Self {
        self.settings.blocked = blocked;
        self
    }

    /// The table; unknown hosts are 404.
    pub fn build(self) -> Snapshot {
        let mut fallback = location(PathMatch::Prefix("/".into()), "");
        fallback.action = Action::Respond(404);
        let mut hosts = vec![Arc::new(Host {
            name: "_".into(),
            pattern: HostPattern::Default,
            aliases: Vec::new(),
            mode: PathMode::Literal,
            locations: vec![Arc::new(fallback)],
            alias_origin: None,
            app_root: None,
            redirect_to: None,
            client_certificates: None,
            snippet: None,
            ciphers: None,
            origin: None,
        })];
        hosts.extend(self.hosts.into_iter().map(|(name, locations)| {
            Arc::new(Host {
                pattern: HostPattern::Exact(name.clone()),
                name,
                aliases: Vec::new(),
                mode: PathMode::Literal,
                locations,
                alias_origin: None,
                app_root: None,
                redirect_to: None,
                client_certificates: None,
                snippet: None,
                ciphers: None,
                origin: None,
            })
        }));
        Snapshot {
            hosts: hosts.into(),
            upstreams: self.upstreams,
            settings: Arc::new(self.settings),
            ..Snapshot::default()
        }
    }
}
