//! The smallest hosts and locations there are, for tests and fuzz targets to build on.

use std::sync::Arc;

use headgate_config::{
    Action, Host, HostPattern, HttpsRedirect, Location, Origin, PathMatch, PathMode, ProxySettings,
    Redirect,
};

/// A location without any policy.
pub(crate) fn location(matcher: PathMatch) -> Location {
    Location {
        matcher,
        slash_redirect: false,
        origin: Arc::new(Origin::default()),
        action: Action::Respond(404),
        body_limit: None,
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

/// The host `a.test`.
pub(crate) fn host(mode: PathMode, locations: Vec<Arc<Location>>) -> Host {
    Host {
        name: "a.test".to_owned(),
        pattern: HostPattern::Exact("a.test".to_owned()),
        aliases: Vec::new(),
        mode,
        locations,
        alias_origin: None,
        app_root: None,
        redirect_to: None,
        client_certificates: None,
        snippet: None,
        ciphers: None,
        origin: None,
    }
}
