//! TLS towards clients (configmap-and-flags §2). What the TLS library does not have is named, and the rest is honoured.

use headgate_config::{TicketKey, TlsSettings, TlsVersions};
use k8s_openapi::ByteString;
use serde::{Deserialize, de::IntoDeserializer};

use super::{Apply, Draft, set, value};
use crate::translate::ciphers;

pub(super) const KEYS: &[(&str, Apply)] = &[
    ("enable-ocsp", |draft, text| set(&mut draft.settings.ocsp, value::bool(text))),
    ("ssl-buffer-size", |draft, text| {
        const LARGEST: u64 = 16 * 1024;
        let size = value::size(text)?;
        let size = usize::try_from(size).ok().filter(|size| *size >= 512);
        let size = size.ok_or("a size of 512 bytes and more, such as 4k")?;
        tls(draft).record_size = Some(size).filter(|size| (*size as u64) < LARGEST);
        Ok(())
    }),
    ("ssl-ciphers", |draft, text| {
        let selected = ciphers::ciphers(text);
        if selected.items.is_empty() && selected.without.is_empty() {
            return Err("a list of ciphers as OpenSSL writes them");
        }
        if !selected.without.is_empty() {
            let left = match selected.items.is_empty() {
                true => "none is left, so that only TLS 1.3 is spoken",
                false => "the others are offered",
            };
            draft.notes.push(format!(
                "ssl-ciphers: {}: there are no such ciphers here; {left}",
                selected.without.join(", ")
            ));
        }
        tls(draft).ciphers.suites = selected.items.into();
        Ok(())
    }),
    ("ssl-dh-param", |draft, text| {
        if !text.is_empty() {
            draft.notes.push(format!(
                "ssl-dh-param: {text:?} has no effect: there are no ciphers with DHE here, only with ECDHE"
            ));
        }
        Ok(())
    }),
    ("ssl-early-data", |draft, text| {
        if value::bool(text)? {
            draft.notes.push(
                "ssl-early-data: requests are not taken before a handshake is complete, because they could be sent again by others; clients send them after it".into(),
            );
        }
        Ok(())
    }),
    ("ssl-ecdh-curve", |draft, text| {
        let selected = ciphers::groups(text);
        if !selected.without.is_empty() {
            let names = selected.without.join(", ");
            let left = match selected.items.is_empty() {
                true => "the default stays",
                false => "the others are offered",
            };
            draft
                .notes
                .push(format!("ssl-ecdh-curve: {names}: there are no such groups here; {left}"));
        }
        tls(draft).groups = selected.items;
        Ok(())
    }),
    ("ssl-protocols", |draft, text| {
        let (versions, others) = ciphers::versions(text);
        if !others.is_empty() {
            let names = others.join(", ");
            let left = match versions {
                None => "the default, TLSv1.2 TLSv1.3, stays",
                Some(_) => "the others are offered",
            };
            draft.notes.push(format!(
                "ssl-protocols: {names}: only TLSv1.2 and TLSv1.3 are spoken here; {left}"
            ));
        } else if versions.is_none() {
            return Err("a list of TLSv1.2 and TLSv1.3");
        }
        tls(draft).versions = versions.unwrap_or(TlsVersions::Both);
        Ok(())
    }),
    ("ssl-reject-handshake", |draft, text| {
        set(&mut tls(draft).rejects_unknown_names, value::bool(text))
    }),
    ("ssl-session-cache", |draft, text| set(&mut tls(draft).session_cache, value::bool(text))),
    ("ssl-session-ticket-key", |draft, text| {
        const EXPECTED: &str = "the base64 of 48 or 80 bytes (which are not shown)";
        if text.trim().is_empty() {
            return Ok(());
        }
        let bytes = base64(text.trim()).filter(|bytes| matches!(bytes.len(), 48 | 80));
        match bytes {
            Some(bytes) => tls(draft).ticket_key = Some(TicketKey::new(&bytes)),
            // Its value must not be repeated.
            None => draft.notes.push(format!(
                "ssl-session-ticket-key is not {EXPECTED}; tickets have a key of their own"
            )),
        }
        Ok(())
    }),
    ("ssl-session-tickets", |draft, text| set(&mut tls(draft).tickets, value::bool(text))),
    ("ssl-session-timeout", |draft, text| set(&mut tls(draft).session_timeout, value::time(text))),
];

fn base64(text: &str) -> Option<Vec<u8>> {
    let text: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        text.into_deserializer();
    ByteString::deserialize(text).ok().map(|bytes| bytes.0)
}

fn tls(draft: &mut Draft) -> &mut TlsSettings {
    &mut draft.settings.tls
}
