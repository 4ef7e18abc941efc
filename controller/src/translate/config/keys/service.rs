//! Keys about the log, the listeners and the end of the process.

use headgate_config::{LogEscape, Network};

use super::{Apply, set};
use crate::translate::config::{Draft, value};

pub(super) const KEYS: &[(&str, Apply)] = &[
    ("disable-access-log", |draft, text| {
        draft.settings.stream.access_log &= !value::bool(text)?;
        disable_log(draft, text)
    }),
    ("disable-http-access-log", |draft, text| disable_log(draft, text)),
    ("enable-access-log-for-default-backend", |draft, text| {
        set(&mut draft.log_default_backend, value::bool(text))
    }),
    ("log-format-escape-json", |draft, text| escape(draft, text, LogEscape::Json)),
    // Keys are read in the order of their names, so that this one wins.
    ("log-format-escape-none", |draft, text| escape(draft, text, LogEscape::None)),
    ("log-format-upstream", |draft, text| {
        set(
            &mut draft.settings.log_format,
            Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
        )
    }),
    ("skip-access-log-urls", |draft, text| {
        set(&mut draft.settings.log.skipped, Ok(value::list(text)))
    }),
    ("http2-max-concurrent-streams", |draft, text| {
        set(&mut draft.settings.http2_streams, value::count(text).and_then(streams))
    }),
    ("nginx-status-ipv4-whitelist", |draft, text| {
        readers(draft, "nginx-status-ipv4-whitelist", text, |network| network.is_ipv4())
    }),
    ("nginx-status-ipv6-whitelist", |draft, text| {
        readers(draft, "nginx-status-ipv6-whitelist", text, |network| !network.is_ipv4())
    }),
    ("worker-shutdown-timeout", |draft, text| {
        set(&mut draft.settings.drain_timeout, value::time(text).map(Some))
    }),
];

fn disable_log(draft: &mut Draft, text: &str) -> Result<(), &'static str> {
    draft.settings.access_log &= !value::bool(text)?;
    Ok(())
}

fn escape(draft: &mut Draft, text: &str, escape: LogEscape) -> Result<(), &'static str> {
    if value::bool(text)? {
        draft.settings.log.escape = escape;
    }
    Ok(())
}

fn streams(count: u64) -> Result<u32, &'static str> {
    u32::try_from(count).ok().filter(|count| *count > 0).ok_or("a number from 1 to 4294967295")
}

/// Replaces those readers of the status page that are of one family. Nobody of it may read where the list is no list.
fn readers(
    draft: &mut Draft,
    name: &'static str,
    text: &str,
    is_of_family: fn(&Network) -> bool,
) -> Result<(), &'static str> {
    let (networks, unknown) = value::networks(text);
    let readers = &mut draft.settings.status_readers;
    readers.retain(|network| !is_of_family(network));
    readers.extend(networks.into_iter().filter(is_of_family));
    if !unknown.is_empty() {
        draft.remarks.push(format!(
            "{name}: {:?} is neither an address nor a network: it may not read /nginx_status",
            unknown.join(", ")
        ));
    }
    Ok(())
}
