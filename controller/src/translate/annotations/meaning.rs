//! What the annotations of one Ingress come to: the fields that the families fill in, and what holds without them.

use std::sync::Arc;

use headgate_config::{
    Balance, ClientCertificates, Cors, FastCgi, FixedRedirect, Mirror, Protection, ProxySettings,
    Redirect, TlsSuite, balance::CanaryRules, protection::Throttle,
};

use super::{Protocol, Said, affinity::AffinityWish, errors, headers, proxy, tracing};
use crate::translate::snippet::Snippets;

/// The annotations of one Ingress, with the defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotations {
    /// Why all locations of the Ingress answer 503, if they do (annotations §1.4, outcome D).
    pub denied: Option<String>,
    /// `ssl-ciphers`.
    pub ssl_ciphers: Option<Arc<[TlsSuite]>>,
    /// `ssl-prefer-server-ciphers`.
    pub ssl_own_order: Option<bool>,
    /// `ssl-passthrough`.
    pub ssl_passthrough: bool,
    /// `auth-tls-*`, which hold for its hosts.
    pub client_certificates: Option<Arc<ClientCertificates>>,
    /// The Ingress only lends its backends to others (routing §13).
    pub canary: bool,
    /// Which share of their requests it wants for them.
    pub canary_rules: Option<Arc<CanaryRules>>,
    /// `affinity` and what belongs to it.
    pub affinity: Option<Arc<AffinityWish>>,
    /// `load-balance` and `upstream-hash-by`.
    pub balance: Balance,
    /// `use-regex`.
    pub use_regex: bool,
    /// `rewrite-target`.
    pub rewrite_target: Option<String>,
    /// `x-forwarded-prefix`.
    pub forwarded_prefix: Option<String>,
    /// `app-root`.
    pub app_root: Option<String>,
    /// `server-alias`: sorted, without repeats, as written.
    pub aliases: Vec<String>,
    /// `upstream-vhost`.
    pub upstream_host: Option<String>,
    /// What happens to headers of answers.
    pub headers: headers::Wishes,
    /// `default-backend`: name of a Service in the Ingress's namespace.
    pub default_backend: Option<String>,
    /// Which answers are replaced.
    pub errors: errors::ErrorRules,
    /// `mirror-*`.
    pub mirror: Option<Arc<Mirror>>,
    /// `ssl-redirect`.
    pub ssl_redirect: bool,
    /// `force-ssl-redirect`.
    pub force_ssl_redirect: bool,
    /// Form of redirects.
    pub redirect: Redirect,
    /// `permanent-redirect`, `temporal-redirect`.
    pub fixed_redirect: Option<Arc<FixedRedirect>>,
    /// `from-to-www-redirect`.
    pub www_redirect: bool,
    /// `enable-cors` with `cors-*`.
    pub cors: Option<Arc<Cors>>,
    /// `proxy-body-size` in bytes; `None` is no limit.
    pub body_limit: Option<u64>,
    /// Timeouts, retries and such.
    pub proxy: Arc<ProxySettings>,
    /// `backend-protocol`.
    pub protocol: Protocol,
    /// `fastcgi-*`.
    pub fastcgi: Arc<FastCgi>,
    /// `proxy-ssl-*`, of which other locations of the host have something as well.
    pub upstream_tls: Option<Said>,
    /// `service-upstream`.
    pub service_upstream: bool,
    /// What requests have to pass.
    pub protection: Option<Arc<Protection>>,
    /// `limit-rate` and `limit-rate-after`.
    pub throttle: Option<Throttle>,
    /// What snippets ask for.
    pub snippets: Option<Arc<Snippets>>,
    /// `enable-opentelemetry` and what belongs to it.
    pub spans: tracing::SpanWish,
    /// `enable-access-log`.
    pub access_log: bool,
}

impl Default for Annotations {
    /// What the reference does without annotations and without a ConfigMap (annotations §1.14).
    fn default() -> Self {
        Self {
            denied: None,
            ssl_ciphers: None,
            ssl_own_order: None,
            ssl_passthrough: false,
            client_certificates: None,
            canary: false,
            canary_rules: None,
            affinity: None,
            balance: Balance::RoundRobin,
            use_regex: false,
            rewrite_target: None,
            forwarded_prefix: None,
            app_root: None,
            aliases: Vec::new(),
            upstream_host: None,
            headers: headers::Wishes::default(),
            default_backend: None,
            errors: errors::ErrorRules::default(),
            mirror: None,
            ssl_redirect: true,
            force_ssl_redirect: false,
            redirect: Redirect::default(),
            fixed_redirect: None,
            www_redirect: false,
            cors: None,
            body_limit: Some(proxy::BODY_LIMIT),
            proxy: Arc::default(),
            protocol: Protocol::default(),
            fastcgi: Arc::default(),
            upstream_tls: None,
            service_upstream: false,
            protection: None,
            throttle: None,
            snippets: None,
            spans: tracing::SpanWish::default(),
            access_log: true,
        }
    }
}

impl Annotations {
    /// Why the locations must not forward, unless that is known already.
    pub(super) fn deny(&mut self, reason: String) {
        self.denied.get_or_insert(reason);
    }

    /// What requests have to pass, to be changed.
    pub(in crate::translate) fn protect(&mut self) -> &mut Protection {
        Arc::make_mut(self.protection.get_or_insert_default())
    }

    /// What of them holds for the `/` of the default host: everything but redirects and rewriting (routing §2.3).
    pub fn for_catch_all(&self) -> Self {
        Self {
            use_regex: false,
            rewrite_target: None,
            forwarded_prefix: None,
            app_root: None,
            ssl_redirect: false,
            force_ssl_redirect: false,
            redirect: Redirect { with_port: self.redirect.with_port, ..Redirect::default() },
            fixed_redirect: None,
            www_redirect: false,
            ..self.clone()
        }
    }
}
