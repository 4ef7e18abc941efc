//! Asking another service (annotations §3.7). The words of its values are in the files below; the ConfigMap's
//! `global-auth-*` keys use the same.
//!
//! Where the reference drops the protection because of a bad companion of `auth-url` (annotations §4, 36), the locations
//! are denied.

pub mod duration;
pub mod headers;
pub mod text;

use std::sync::Arc;

use headgate_config::{
    Protection,
    protection::{ExternalAuth, SignIn},
};

use super::{
    Annotations,
    check::{BOOL, Check, HEADERS, REFERENCE, URL_SPACES, URL_VARIABLES, VARIABLES},
    definition::{
        Bad::{self, Deny, Fallback, Refuse},
        Definition,
        Needs::Present,
        Risk::{self, High, Low, Medium},
    },
    group::Group::Auth,
    values::Values,
};
use crate::options::Options;

const METHOD: Check = Check::choice(|value| text::is_method(value.trim()), "a method such as GET");
const DURATIONS: Check = Check::list(
    |value| value.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/:, ".contains(c)),
    "statuses and times such as 200 202 10m, 401 5m",
);

pub const ANNOTATIONS: &[Definition] = &[
    beside("auth-always-set-cookie", BOOL, Deny, Low).documented(
        Auth,
        "false",
        "The service's cookies reach clients with every answer, also with 4xx and 5xx.",
    ),
    beside("auth-cache-duration", DURATIONS, Deny, Medium).documented(
        Auth,
        "200 202 401 5m",
        "How long which of its answers are remembered.",
    ),
    beside("auth-cache-key", VARIABLES, Fallback, Medium).documented(
        Auth,
        "nothing is remembered",
        "Requests with the same key share an answer.",
    ),
    beside("auth-method", METHOD, Deny, Low).documented(Auth, "GET", "Method of the question."),
    beside("auth-proxy-set-headers", REFERENCE, Deny, Medium).documented(
        Auth,
        "none",
        "ConfigMap with headers for the question.",
    ),
    beside("auth-request-redirect", URL_SPACES, Deny, Medium).documented(
        Auth,
        "the request's target",
        "`X-Auth-Request-Redirect` of the question.",
    ),
    beside("auth-response-headers", HEADERS, Deny, Medium).documented(
        Auth,
        "none",
        "Headers of its answer that the upstream sees, and that clients cannot set.",
    ),
    beside("auth-signin", URL_VARIABLES, Fallback, High).documented(
        Auth,
        "401 is answered",
        "Where clients are sent whom the service does not know.",
    ),
    beside("auth-signin-redirect-param", URL_SPACES, Fallback, Medium).documented(
        Auth,
        "rd",
        "Parameter of `auth-signin` with the address to come back to.",
    ),
    Definition::new("auth-url", URL_VARIABLES, Refuse, High).documented(
        Auth,
        "ConfigMap: `global-auth-url`",
        "Asks this service about each request: 2xx lets it pass, nothing else does.",
    ),
    Definition::new("enable-global-auth", BOOL, Fallback, Low).documented(
        Auth,
        "true",
        "`false`: the service of the ConfigMap's `global-auth-url` is not asked.",
    ),
];

const fn beside(name: &'static str, check: Check, bad: Bad, risk: Risk) -> Definition {
    Definition::new(name, check, bad, risk).needs(Present("auth-url"))
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let Some(url) = values.text("auth-url") else {
        // What holds for all is there already.
        if values.bool("enable-global-auth") == Some(false) {
            replace(&mut annotations.protection, None, None);
        }
        return;
    };
    match service(values, url) {
        Ok(external) => {
            let sign_in = sign_in(values);
            replace(&mut annotations.protection, Some(external), sign_in);
        }
        Err(reason) => {
            annotations.denied.get_or_insert(reason);
        }
    }
}

/// Puts a service and a page to sign in at in place of those that there are.
pub fn replace(
    protection: &mut Option<Arc<Protection>>,
    external: Option<ExternalAuth>,
    sign_in: Option<SignIn>,
) {
    let mut changed = protection.as_deref().cloned().unwrap_or_default();
    changed.external = external.map(Arc::new);
    changed.sign_in = sign_in.map(Arc::new);
    *protection = (changed != Protection::default()).then(|| Arc::new(changed));
}

/// The service, or why it cannot be asked as written.
fn service(values: &Values<'_>, url: String) -> Result<ExternalAuth, String> {
    let name = |annotation: &str, reason: String| format!("{annotation}: {reason}");
    let upstream =
        text::check_url(&url, values.subject.options).map_err(|reason| name("auth-url", reason))?;
    let response_headers = headers::list(&values.text("auth-response-headers").unwrap_or_default())
        .map_err(|reason| name("auth-response-headers", reason))?;
    let request_headers = match values.text("auth-proxy-set-headers") {
        Some(map) => headers::configured(&values.lookup, values.subject.options, &map)
            .map_err(|reason| name("auth-proxy-set-headers", reason))?,
        None => Vec::new(),
    };
    let cache_key = values.text("auth-cache-key");
    if let Some(key) = &cache_key {
        text::check_variables(key).map_err(|reason| name("auth-cache-key", reason))?;
    }
    let durations = values.text("auth-cache-duration");
    let cache_durations = duration::parse(durations.as_deref().unwrap_or(duration::DEFAULT))
        .map_err(|reason| name("auth-cache-duration", reason))?;
    Ok(ExternalAuth {
        url,
        upstream,
        method: values.text("auth-method"),
        request_headers,
        request_redirect: values.text("auth-request-redirect"),
        response_headers,
        always_set_cookie: values.bool("auth-always-set-cookie").unwrap_or(false),
        cache_key,
        cache_durations,
    })
}

/// The page to sign in at. Without one clients are answered 401, so that nothing about it has to deny anything.
fn sign_in(values: &mut Values<'_>) -> Option<SignIn> {
    let url = values.text("auth-signin")?;
    if let Err(reason) = text::check_variables(&url) {
        values.warn(
            "InvalidAnnotation",
            format!("auth-signin: {reason}; it has no effect: correct it"),
        );
        return None;
    }
    let parameter = values.text("auth-signin-redirect-param");
    Some(SignIn {
        url,
        return_parameter: parameter.unwrap_or_else(|| text::RETURN_PARAMETER.into()),
    })
}

/// Whether a Service is reached by its endpoints, although a URL names it.
fn by_endpoints(options: &Options) -> bool {
    options.resolve_services_by_name
}

#[cfg(test)]
mod tests;
