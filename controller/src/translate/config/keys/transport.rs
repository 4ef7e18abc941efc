//! How upstreams are spoken to, how long, and how often (configmap-and-flags §3).

use std::sync::Arc;

use headgate_config::ProxySettings;

use super::{Apply, Draft, set, value};
use crate::translate::annotations::proxy;

pub(super) const KEYS: &[(&str, Apply)] = &[
    ("proxy-body-size", |draft, text| {
        draft.plain.body_limit = proxy::body_limit(Some(value::size(text)?));
        Ok(())
    }),
    ("proxy-buffer-size", |draft, text| {
        set(
            &mut upstream(draft).head_limit,
            value::size(text).and_then(|size| match size {
                0 => Err("a size above zero"),
                size => Ok(size),
            }),
        )
    }),
    ("proxy-connect-timeout", |draft, text| {
        set(&mut upstream(draft).connect_timeout, value::seconds(text))
    }),
    ("proxy-next-upstream", |draft, text| {
        let on = proxy::retry_on(text).ok_or("a list of conditions such as error timeout")?;
        let non_idempotent = draft.retry_non_idempotent;
        upstream(draft).retry.on = on;
        upstream(draft).retry.on.non_idempotent |= non_idempotent;
        Ok(())
    }),
    ("proxy-next-upstream-timeout", |draft, text| {
        set(&mut upstream(draft).retry.budget, value::seconds(text))
    }),
    ("proxy-next-upstream-tries", |draft, text| {
        upstream(draft).retry.tries = u32::try_from(value::count(text)?).unwrap_or(u32::MAX);
        Ok(())
    }),
    ("proxy-read-timeout", |draft, text| {
        set(&mut upstream(draft).read_timeout, value::seconds(text))
    }),
    ("proxy-request-buffering", |draft, text| {
        set(&mut upstream(draft).request_buffering, value::on_off(text))
    }),
    ("proxy-send-timeout", |draft, text| {
        set(&mut upstream(draft).send_timeout, value::seconds(text))
    }),
    ("proxy-ssl-location-only", |draft, text| set(&mut draft.own_upstream_tls, value::bool(text))),
    // Keys are read in the order of their names, so that this one comes after proxy-next-upstream.
    ("retry-non-idempotent", |draft, text| {
        draft.retry_non_idempotent = value::bool(text)?;
        upstream(draft).retry.on.non_idempotent |= draft.retry_non_idempotent;
        Ok(())
    }),
    ("service-upstream", |draft, text| set(&mut draft.plain.service_upstream, value::bool(text))),
    ("upstream-keepalive-connections", |draft, text| {
        draft.settings.upstream_keepalive =
            usize::try_from(value::count(text)?).unwrap_or(usize::MAX);
        Ok(())
    }),
    ("upstream-keepalive-requests", |draft, text| {
        set(&mut draft.settings.upstream_keepalive_requests, value::count(text))
    }),
    ("upstream-keepalive-time", |draft, text| {
        set(&mut draft.settings.upstream_keepalive_time, value::time(text))
    }),
    ("upstream-keepalive-timeout", |draft, text| {
        set(&mut draft.settings.upstream_keepalive_timeout, value::seconds(text))
    }),
];

pub(super) fn upstream(draft: &mut Draft) -> &mut ProxySettings {
    Arc::make_mut(&mut draft.plain.proxy)
}
