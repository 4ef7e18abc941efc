//! The main ConfigMap: settings of the gateway and defaults of the annotations.

use std::sync::Arc;

use headgate_config::{ProxySettings, Redirect, Settings, Verdict};

use super::annotations::Annotations;

/// What the main ConfigMap means.
#[derive(Debug)]
pub struct Config {
    /// Settings of the gateway as a whole.
    pub settings: Arc<Settings>,
    /// What the translation of Ingresses needs.
    pub defaults: Arc<Defaults>,
    /// Findings about the ConfigMap.
    pub verdicts: Vec<Verdict>,
}

/// What applies to Ingresses unless they say otherwise.
#[derive(Debug, PartialEq)]
pub struct Defaults {
    /// Annotations of an Ingress that has none.
    pub plain: Arc<Annotations>,
    /// Annotations of the default host's own `/`.
    pub default_host: Arc<Annotations>,
    /// Location paths that begin with one of these are never redirected to HTTPS (`no-tls-redirect-locations`).
    pub no_tls_redirect: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let plain = Annotations {
            denied: None,
            canary: false,
            use_regex: false,
            rewrite_target: None,
            forwarded_prefix: None,
            app_root: None,
            aliases: Vec::new(),
            upstream_host: None,
            default_backend: None,
            ssl_redirect: true,
            force_ssl_redirect: false,
            redirect: Redirect::default(),
            body_limit: Some(1024 * 1024),
            proxy: Arc::new(ProxySettings::default()),
            service_upstream: false,
            access_log: true,
        };
        let default_host = Annotations {
            access_log: false,
            ..plain.for_catch_all()
        };
        Self {
            settings: Arc::default(),
            defaults: Arc::new(Defaults {
                plain: Arc::new(plain),
                default_host: Arc::new(default_host),
                no_tls_redirect: vec!["/.well-known/acme-challenge".into()],
            }),
            verdicts: Vec::new(),
        }
    }
}
