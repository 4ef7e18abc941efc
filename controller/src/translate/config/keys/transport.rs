//! How upstreams are spoken to (configmap-and-flags §3).

use super::{Apply, set, value};

pub const KEYS: &[(&str, Apply)] = &[("proxy-ssl-location-only", |draft, text| {
    set(&mut draft.own_upstream_tls, value::bool(text))
})];
