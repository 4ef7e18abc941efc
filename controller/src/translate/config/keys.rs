//! The ConfigMap keys that have an effect: one line each.

mod absent;
mod compression;
mod errors;
mod headers;
mod listeners;
mod logs;
mod service;
mod stream;
mod tls;
pub mod tracing;
mod transport;

use std::sync::Arc;

use headgate_config::{Hsts, Network, protection::AccessLists};

use super::{Draft, snippets, value};
use crate::translate::annotations::{balancing, definition::Risk};

/// Applies the value of one key; an error says what was expected.
pub type Apply = fn(&mut Draft, &str) -> Result<(), &'static str>;

/// The key of this name, exactly or but for case.
pub fn find(name: &str) -> Option<(&'static str, Apply)> {
    let exact = all().find(|(key, _)| *key == name);
    exact.or_else(|| all().find(|(key, _)| key.eq_ignore_ascii_case(name))).copied()
}

/// All keys.
fn all() -> impl Iterator<Item = &'static (&'static str, Apply)> {
    TABLES.iter().copied().flatten()
}

/// The names of all keys.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|(name, _)| *name)
}

const TABLES: &[&[(&str, Apply)]] = &[
    KEYS,
    absent::KEYS,
    compression::KEYS,
    errors::KEYS,
    headers::KEYS,
    listeners::KEYS,
    logs::KEYS,
    service::KEYS,
    snippets::KEYS,
    stream::KEYS,
    tls::KEYS,
    tracing::KEYS,
    transport::KEYS,
];

const KEYS: &[(&str, Apply)] = &[
    // Restrictions of Ingresses.
    ("allow-cross-namespace-resources", |draft, text| {
        set(&mut draft.restrictions.cross_namespace, value::bool(text))
    }),
    ("allow-snippet-annotations", |draft, text| {
        set(&mut draft.restrictions.allow_snippets, value::bool(text))
    }),
    ("annotation-value-word-blocklist", |draft, text| {
        set(&mut draft.restrictions.blocked_words, Ok(value::list(text)))
    }),
    ("annotations-risk-level", |draft, text| {
        set(&mut draft.restrictions.max_risk, Ok(Risk::of(text)))
    }),
    ("strict-validate-path-type", |draft, text| {
        set(&mut draft.restrictions.strict_paths, value::bool(text))
    }),
    // The service that is asked about every location.
    ("global-auth-always-set-cookie", |draft, text| {
        set(&mut draft.global_auth.service.always_set_cookie, value::bool(text))
    }),
    ("global-auth-cache-duration", |draft, text| draft.global_auth.set_cache_durations(text)),
    ("global-auth-cache-key", |draft, text| draft.global_auth.set_cache_key(text)),
    ("global-auth-method", |draft, text| draft.global_auth.set_method(text)),
    ("global-auth-request-redirect", |draft, text| draft.global_auth.set_request_redirect(text)),
    ("global-auth-response-headers", |draft, text| draft.global_auth.set_response_headers(text)),
    ("global-auth-signin", |draft, text| draft.global_auth.set_sign_in(text)),
    ("global-auth-signin-redirect-param", |draft, text| {
        draft.global_auth.set_return_parameter(text)
    }),
    ("global-auth-url", |draft, text| {
        draft.global_auth.url = text.trim().to_owned();
        Ok(())
    }),
    // Who may come.
    ("block-cidrs", |draft, text| {
        draft.settings.blocked.networks = draft.networks("block-cidrs", text);
        Ok(())
    }),
    ("block-referers", |draft, text| {
        set(&mut draft.settings.blocked.referers, Ok(value::list(text)))
    }),
    ("block-user-agents", |draft, text| {
        set(&mut draft.settings.blocked.user_agents, Ok(value::list(text)))
    }),
    ("denylist-source-range", |draft, text| {
        let networks = draft.networks("denylist-source-range", text);
        lists(draft, networks, |lists| &mut lists.deny)
    }),
    ("whitelist-source-range", |draft, text| {
        let networks = draft.networks("whitelist-source-range", text);
        lists(draft, networks, |lists| &mut lists.allow)
    }),
    // Endpoints.
    ("load-balance", |draft, text| set(&mut draft.plain.balance, balancing::method(text))),
    // Limits.
    ("limit-conn-status-code", |draft, text| {
        set(&mut draft.limits.connection_status, refusal_status(text))
    }),
    ("limit-conn-zone-variable", |draft, text| {
        let is_address = matches!(text.trim(), "" | "$binary_remote_addr" | "$remote_addr");
        draft.limits.unusable_key = (!is_address).then(|| {
            format!(
                "limit-conn-zone-variable: clients are counted by their address, not by {text:?}"
            )
        });
        Ok(())
    }),
    ("limit-rate", |draft, text| set(&mut draft.limits.throttle.rate, value::int(text))),
    ("limit-rate-after", |draft, text| set(&mut draft.limits.throttle.after, value::int(text))),
    ("limit-req-status-code", |draft, text| {
        set(&mut draft.limits.rate_status, refusal_status(text))
    }),
    ("limit-shared-fallback", |draft, text| {
        draft.store.set_fallback(text);
        Ok(())
    }),
    ("limit-shared-secret", |draft, text| {
        text.clone_into(&mut draft.store.secret);
        Ok(())
    }),
    ("limit-shared-timeout", |draft, text| draft.store.set_timeout(text)),
    ("limit-shared-url", |draft, text| {
        text.clone_into(&mut draft.store.url);
        Ok(())
    }),
    ("no-auth-locations", |draft, text| set(&mut draft.no_auth, Ok(value::list(text)))),
    // Forwarding headers.
    ("compute-full-forwarded-for", |draft, text| {
        set(&mut draft.settings.forwarded.append_for, value::bool(text))
    }),
    ("enable-real-ip", |draft, text| set(&mut draft.settings.forwarded.real_ip, value::bool(text))),
    ("forwarded-for-header", |draft, text| {
        set(&mut draft.settings.forwarded.for_header, value::header_name(text))
    }),
    ("forwarded-host-header", |draft, text| {
        set(&mut draft.settings.forwarded.host_header, value::header_name(text))
    }),
    ("generate-request-id", |draft, text| {
        set(&mut draft.settings.generate_request_id, value::bool(text))
    }),
    ("proxy-add-original-uri-header", |draft, text| {
        set(&mut draft.settings.original_uri_header, value::bool(text))
    }),
    ("proxy-real-ip-cidr", |draft, text| {
        // What names nobody must not lead to the default, which trusts every IPv4 peer.
        (draft.settings.forwarded.peers, draft.unknown_peers) = value::networks(text);
        Ok(())
    }),
    ("use-forwarded-headers", |draft, text| {
        set(&mut draft.settings.forwarded.trusted, value::bool(text))
    }),
    ("use-proxy-protocol", |draft, text| {
        set(&mut draft.settings.proxy_protocol, value::bool(text))
    }),
    // Clients.
    ("client-body-timeout", |draft, text| {
        set(&mut draft.settings.client_body_timeout, value::seconds(text))
    }),
    ("client-header-timeout", |draft, text| {
        set(&mut draft.settings.client_header_timeout, value::seconds(text))
    }),
    ("enable-underscores-in-headers", |draft, text| {
        set(&mut draft.settings.underscores_in_headers, value::bool(text))
    }),
    ("keep-alive", |draft, text| set(&mut draft.settings.keep_alive, value::seconds(text))),
    ("keep-alive-requests", |draft, text| {
        set(&mut draft.settings.keep_alive_requests, value::count(text))
    }),
    ("use-http2", |draft, text| set(&mut draft.settings.http2, value::bool(text))),
    // Beside another controller.
    ("headgate-standby", |draft, text| {
        draft.standby = Some(value::bool(text)?);
        Ok(())
    }),
    // Redirects and HSTS.
    ("force-ssl-redirect", |draft, text| {
        set(&mut draft.plain.force_ssl_redirect, value::bool(text))
    }),
    ("hsts", |draft, text| {
        let on = value::bool(text)?;
        draft.settings.hsts = on.then(|| draft.settings.hsts.clone().unwrap_or_default());
        Ok(())
    }),
    ("hsts-include-subdomains", |draft, text| {
        hsts(draft, text, |hsts, on| hsts.include_subdomains = on)
    }),
    ("hsts-max-age", |draft, text| {
        if let Some(hsts) = &mut draft.settings.hsts {
            hsts.max_age = max_age(text)?;
        }
        Ok(())
    }),
    ("hsts-preload", |draft, text| hsts(draft, text, |hsts, on| hsts.preload = on)),
    ("http-redirect-code", |draft, text| {
        set(&mut draft.settings.redirect_status, redirect_status(text))
    }),
    ("no-tls-redirect-locations", |draft, text| {
        set(&mut draft.no_tls_redirect, Ok(value::list(text)))
    }),
    ("preserve-trailing-slash", |draft, text| {
        set(&mut draft.plain.redirect.keep_trailing_slash, value::bool(text))
    }),
    ("relative-redirects", |draft, text| {
        set(&mut draft.plain.redirect.relative, value::bool(text))
    }),
    ("ssl-redirect", |draft, text| set(&mut draft.plain.ssl_redirect, value::bool(text))),
    ("use-port-in-redirects", |draft, text| {
        set(&mut draft.plain.redirect.with_port, value::bool(text))
    }),
];

fn set<T>(field: &mut T, value: Result<T, &'static str>) -> Result<(), &'static str> {
    *field = value?;
    Ok(())
}

fn hsts(draft: &mut Draft, text: &str, apply: fn(&mut Hsts, bool)) -> Result<(), &'static str> {
    let on = value::bool(text)?;
    if let Some(hsts) = &mut draft.settings.hsts {
        apply(hsts, on);
    }
    Ok(())
}

/// The text goes into a header as it is.
fn max_age(text: &str) -> Result<String, &'static str> {
    let fine = !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    fine.then(|| text.to_owned()).ok_or("a number of seconds")
}

fn redirect_status(text: &str) -> Result<u16, &'static str> {
    match value::int(text)? {
        301 => Ok(301),
        302 => Ok(302),
        307 => Ok(307),
        308 => Ok(308),
        _ => Err("301, 302, 307 or 308"),
    }
}

/// Sets a list of all locations; an empty one is none.
fn lists(
    draft: &mut Draft,
    networks: Vec<Network>,
    list: fn(&mut AccessLists) -> &mut Vec<Network>,
) -> Result<(), &'static str> {
    if !networks.is_empty() {
        let lists = draft.plain.protect().access.get_or_insert_default();
        *list(Arc::make_mut(lists)) = networks;
    }
    Ok(())
}

fn refusal_status(text: &str) -> Result<u16, &'static str> {
    let status = u16::try_from(value::int(text)?).ok();
    status.filter(|status| (400..600).contains(status)).ok_or("a status from 400 to 599")
}
