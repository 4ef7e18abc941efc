//! How upstreams are spoken to (configmap-and-flags §3).

use super::{Apply, set, upstream, value};
use crate::translate::annotations::is_http_version;

pub const KEYS: &[(&str, Apply)] = &[
    ("proxy-http-version", |draft, text| {
        let version = Some(text.trim()).filter(|text| is_http_version(text)).ok_or("1.0 or 1.1")?;
        upstream(draft).old_version = version == "1.0";
        Ok(())
    }),
    ("proxy-ssl-location-only", |draft, text| set(&mut draft.own_upstream_tls, value::bool(text))),
];
