//! Where clients are served, what names are asked for, and the type of texts (configmap-and-flags §2).

use super::{Apply, set, value};

pub(super) const KEYS: &[(&str, Apply)] = &[
    ("bind-address", |draft, text| draft.entrances.add("bind-address", text)),
    ("bind-address-ipv4", |draft, text| draft.entrances.add("bind-address-ipv4", text)),
    ("bind-address-ipv6", |draft, text| draft.entrances.add("bind-address-ipv6", text)),
    ("default-type", |draft, text| set(&mut draft.settings.default_type, media_type(text))),
    ("disable-ipv6", |draft, text| set(&mut draft.settings.entrances.no_ipv6, value::bool(text))),
    ("disable-ipv6-dns", |draft, text| set(&mut draft.settings.ipv4_names, value::bool(text))),
];

/// It goes into a header as it is.
fn media_type(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let has_two =
        text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    if is_plain && has_two { Ok(text.to_owned()) } else { Err("a media type such as text/plain") }
}
