//! TLS towards the clients of a host: `ssl-ciphers`, `ssl-prefer-server-ciphers`, `ssl-passthrough` (annotations §3.4).

use super::{
    Annotations, Protocol,
    check::{BOOL, Check},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::Low,
        Scope::Host,
    },
    group::Group::Tls,
    values::Values,
};
use crate::translate::ciphers;

const CIPHERS: Check = Check::list(is_cipher_list, "ciphers as OpenSSL lists them");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("ssl-ciphers", CIPHERS, Refuse, Low).scope(Host).documented(
        Tls,
        "ConfigMap: `ssl-ciphers`",
        "Ciphers towards clients, up to TLS 1.2.",
    ),
    Definition::new("ssl-passthrough", BOOL, Refuse, Low).scope(Host).documented(
        Tls,
        "false",
        "With `--enable-ssl-passthrough`: TLS connections reach the Service of the path `/` undecrypted.",
    ),
    Definition::new("ssl-prefer-server-ciphers", BOOL, Fallback, Low).scope(Host).documented(
        Tls,
        "true",
        "The order of our ciphers counts, not that of the client's.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if let Some(list) = values.text("ssl-ciphers") {
        let selected = ciphers::ciphers(&list);
        if !selected.without.is_empty() {
            let names = selected.without.join(", ");
            let left = match selected.items.is_empty() {
                true => "none is left, so that the hosts speak TLS 1.3 only",
                false => "the others are offered",
            };
            let message = format!(
                "ssl-ciphers: {names}: there are no such ciphers here; {left}: remove them"
            );
            values.warn("CipherNotAvailable", message);
        }
        annotations.ssl_ciphers = Some(selected.items.into());
    }
    annotations.ssl_own_order = values.bool("ssl-prefer-server-ciphers");
    match values.raw("ssl-passthrough").map(super::check::parse_bool) {
        // Only without validation: what was to stay encrypted must not be looked into.
        Some(None) => {
            annotations.deny("ssl-passthrough is neither true nor false; write one of them".into());
        }
        Some(Some(true)) => pass_through(values, annotations),
        Some(Some(false)) | None => {}
    }
}

fn pass_through(values: &mut Values<'_>, annotations: &mut Annotations) {
    annotations.ssl_passthrough = true;
    if !values.subject.options.ssl_passthrough {
        values.warn(
            "PassthroughDisabled",
            "ssl-passthrough needs --enable-ssl-passthrough; without it TLS connections end here: start with it, or remove the annotation"
                .into(),
        );
    }
}

impl Annotations {
    /// How upstreams are spoken to. One that connections are passed through to speaks TLS, whichever way requests come
    /// (annotations §3.4).
    pub fn upstream_protocol(&self) -> Protocol {
        match self.protocol {
            Protocol::Http | Protocol::AutoHttp if self.ssl_passthrough => Protocol::Https,
            Protocol::Grpc if self.ssl_passthrough => Protocol::Grpcs,
            protocol => protocol,
        }
    }
}

fn is_cipher_list(value: &str) -> bool {
    let value = value.replace(' ', "");
    let mut words = value.split('@');
    let is_plain =
        |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "!:+-_".contains(c));
    let is_command = |text: &str| {
        let rest = text.strip_prefix("STRENGTH").or_else(|| {
            text.strip_prefix("SECLEVEL=")?.strip_prefix(['0', '1', '2', '3', '4', '5'])
        });
        rest.is_some_and(is_plain)
    };
    words.next().is_none_or(is_plain) && words.all(is_command)
}
