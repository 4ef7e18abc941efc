//! Keys about error pages (annotations §3.19).

use super::{Apply, set, value};
use crate::translate::annotations::errors::{is_global_list, statuses};

pub const KEYS: &[(&str, Apply)] = &[
    ("custom-http-errors", |draft, text| {
        draft.error_statuses = statuses(text, 300).collect();
        let is_fine = text.trim().is_empty() || is_global_list(text);
        is_fine.then_some(()).ok_or("a list of statuses from 300 to 599; what is none is left out")
    }),
    ("disable-proxy-intercept-errors", |draft, text| {
        set(&mut draft.plain.errors.spares_upstreams, value::bool(text))
    }),
];
