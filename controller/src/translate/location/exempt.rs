//! What the ConfigMap exempts paths from: having to pass something (`no-auth-locations`), and redirects to HTTPS
//! (`no-tls-redirect-locations`).

use std::sync::Arc;

use headgate_config::{HttpsRedirect, Protection};

use crate::translate::{annotations::Annotations, config::Defaults};

/// What requests have to pass. The exemption looks at the location's path, not at the request's (annotations §3.6).
pub fn protection(
    defaults: &Defaults,
    annotations: &Annotations,
    path: &str,
) -> Option<Arc<Protection>> {
    let protection = annotations.protection.as_ref()?;
    let Protection { password, token, external, sign_in, .. } = &**protection;
    let asks = password.is_some() || token.is_some() || external.is_some() || sign_in.is_some();
    let is_exempt = defaults.no_auth.iter().any(|prefix| path.starts_with(prefix.as_str()));
    if !(asks && is_exempt) {
        return Some(protection.clone());
    }
    // What upstreams know by a header they must not learn from the client instead.
    let claims = token.iter().flat_map(|token| &token.claim_headers).map(|claim| &claim.header);
    let answered = external.iter().flat_map(|service| &service.response_headers);
    // Applications have credentials of their own there.
    let answered = answered.filter(|name| !name.eq_ignore_ascii_case("authorization"));
    let rest = Protection {
        removed_headers: claims.chain(answered).cloned().collect(),
        password: None,
        token: None,
        external: None,
        sign_in: None,
        ..Protection::clone(protection)
    };
    (rest != Protection { any_is_enough: rest.any_is_enough, ..Protection::default() })
        .then(|| Arc::new(rest))
}

/// Routing §9.1. The exemption looks at the location's path, not at the request's.
pub fn https_redirect(defaults: &Defaults, annotations: &Annotations, path: &str) -> HttpsRedirect {
    if defaults.no_tls_redirect.iter().any(|prefix| path.starts_with(prefix.as_str())) {
        HttpsRedirect::Never
    } else if annotations.force_ssl_redirect {
        HttpsRedirect::Always
    } else if annotations.ssl_redirect {
        HttpsRedirect::IfCertificate
    } else {
        HttpsRedirect::Never
    }
}
