//! Keys about headers: those of all requests and answers, and the defaults of annotations about them.

use super::{Apply, set, transport::upstream};
use crate::translate::{
    annotations::{external_auth::headers as names, proxy},
    config::value,
};

pub const KEYS: &[(&str, Apply)] = &[
    ("add-headers", |draft, text| {
        draft.header_maps.answer = text.trim().to_owned();
        Ok(())
    }),
    ("allow-backend-server-header", |draft, text| {
        set(&mut draft.settings.headers.upstream_server, value::bool(text))
    }),
    ("global-allowed-response-headers", |draft, text| {
        let (good, bad): (Vec<_>, Vec<_>) =
            value::list(text).into_iter().partition(|name| names::check_name(name).is_ok());
        draft.restrictions.allowed_headers = good;
        if bad.is_empty() {
            Ok(())
        } else {
            Err("a list of names of headers; what is none is left out")
        }
    }),
    ("hide-headers", |draft, text| {
        let (good, bad): (Vec<_>, Vec<_>) = value::list(text)
            .into_iter()
            .map(|name| name.to_ascii_lowercase())
            .partition(|name| value::header_name(name).is_ok() && !names::frames(name));
        draft.settings.headers.hidden = good;
        if bad.is_empty() {
            Ok(())
        } else {
            Err(
                "a list of names of headers, none of which frames a message, but for those that are one",
            )
        }
    }),
    ("ignore-invalid-headers", |draft, text| {
        draft.settings.headers.keep_invalid = !value::bool(text)?;
        Ok(())
    }),
    ("large-client-header-buffers", |draft, text| {
        set(&mut draft.settings.head_limits, value::head_limits(text))
    }),
    ("proxy-buffering", |draft, text| set(&mut upstream(draft).buffering, value::on_off(text))),
    ("proxy-cookie-domain", |draft, text| draft.plain.headers.set_cookie_domain(text)),
    ("proxy-cookie-path", |draft, text| draft.plain.headers.set_cookie_path(text)),
    ("proxy-http-version", |draft, text| {
        set(&mut upstream(draft).http10, proxy::http10(text).ok_or("1.0 or 1.1"))
    }),
    ("proxy-redirect-from", |draft, text| {
        draft.plain.headers.redirect_from = Some(value::one_line(text)?);
        Ok(())
    }),
    ("proxy-redirect-to", |draft, text| {
        draft.plain.headers.redirect_to = Some(value::one_line(text)?);
        Ok(())
    }),
    ("proxy-set-headers", |draft, text| {
        draft.header_maps.request = text.trim().to_owned();
        Ok(())
    }),
    ("server-tokens", |draft, text| {
        set(&mut draft.settings.headers.server_tokens, value::bool(text))
    }),
];
