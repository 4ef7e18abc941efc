//! TCP and UDP services, and TLS that is passed through (configmap-and-flags §2).

use headgate_config::StreamSettings;

use super::{Apply, Draft, set, value};

pub(super) const KEYS: &[(&str, Apply)] = &[
    ("disable-stream-access-log", |draft, text| {
        stream(draft).access_log &= !value::bool(text)?;
        Ok(())
    }),
    ("log-format-stream", |draft, text| {
        stream(draft).log_format = Some(text.to_owned()).filter(|text| !text.is_empty());
        Ok(())
    }),
    ("proxy-protocol-header-timeout", |draft, text| {
        set(&mut draft.settings.proxy_protocol_timeout, value::time(text))
    }),
    ("proxy-stream-next-upstream", |draft, text| {
        set(&mut stream(draft).next_upstream, value::bool(text))
    }),
    ("proxy-stream-next-upstream-timeout", |draft, text| {
        set(&mut stream(draft).next_upstream_timeout, value::time(text))
    }),
    ("proxy-stream-next-upstream-tries", |draft, text| {
        stream(draft).next_upstream_tries = u32::try_from(value::count(text)?).unwrap_or(u32::MAX);
        Ok(())
    }),
    ("proxy-stream-responses", |draft, text| set(&mut stream(draft).responses, value::count(text))),
    ("proxy-stream-timeout", |draft, text| set(&mut stream(draft).timeout, value::time(text))),
];

fn stream(draft: &mut Draft) -> &mut StreamSettings {
    &mut draft.settings.stream
}
