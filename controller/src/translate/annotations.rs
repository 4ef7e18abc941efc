//! What the annotations of one Ingress mean.

use std::{collections::BTreeMap, sync::Arc};

use headgate_config::{Effect, ObjectRef, ProxySettings, Redirect, Verdict};

use super::config::Defaults;
use crate::options::Options;

/// The annotations of one Ingress, with the defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotations {
    /// Why all locations of the Ingress answer 503, if they do (annotations §1.4, outcome D).
    pub denied: Option<String>,
    /// The Ingress only lends its backends to others (routing §13).
    pub canary: bool,
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
    /// `default-backend`: name of a Service in the Ingress's namespace.
    pub default_backend: Option<String>,
    /// `ssl-redirect`.
    pub ssl_redirect: bool,
    /// `force-ssl-redirect`.
    pub force_ssl_redirect: bool,
    /// Form of redirects.
    pub redirect: Redirect,
    /// `proxy-body-size` in bytes; `None` is no limit.
    pub body_limit: Option<u64>,
    /// Timeouts, retries and such.
    pub proxy: Arc<ProxySettings>,
    /// `service-upstream`.
    pub service_upstream: bool,
    /// `enable-access-log`.
    pub access_log: bool,
}

impl Annotations {
    /// What of them holds for the `/` of the default host: everything but redirects and rewriting (routing §2.3).
    pub fn for_catch_all(&self) -> Self {
        Self {
            use_regex: false,
            rewrite_target: None,
            forwarded_prefix: None,
            app_root: None,
            ssl_redirect: false,
            force_ssl_redirect: false,
            redirect: Redirect {
                with_port: self.redirect.with_port,
                ..Redirect::default()
            },
            ..self.clone()
        }
    }
}

/// A verdict whose object is not named yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it means for traffic.
    pub effect: Effect,
    /// A stable word.
    pub reason: &'static str,
    /// Field, value and remedy.
    pub message: String,
}

impl Finding {
    /// The verdict about this object.
    pub fn about(&self, object: ObjectRef) -> Verdict {
        Verdict {
            object,
            effect: self.effect,
            reason: self.reason.into(),
            message: self.message.clone(),
        }
    }
}

/// Reads the annotations of an Ingress.
///
/// # Errors
///
/// If the Ingress must not be served in this version.
pub fn read(options: &Options, defaults: &Defaults, annotations: Option<&BTreeMap<String, String>>) -> Result<(Arc<Annotations>, Vec<Finding>), Finding> {
    let get = |name: &str| annotations.and_then(|a| a.get(&format!("{}/{name}", options.annotations_prefix)));
    let plain = &defaults.plain;
    let mut a = (**plain).clone();
    a.use_regex = get("use-regex").is_some_and(|v| v == "true");
    a.rewrite_target = get("rewrite-target").cloned();
    Ok((Arc::new(a), Vec::new()))
}
