//! Encryption, as far as nothing is open without it (annotations §3.4).

use crate::translate::annotations::{
    check::{BOOL, Check},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::Low,
        Scope::Host,
    },
    group::Group::Tls,
};

const CIPHERS: Check = Check::list(is_cipher_list, "ciphers as OpenSSL lists them");
pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("ssl-ciphers", CIPHERS, Refuse, Low).scope(Host).documented(
        Tls,
        "ConfigMap: `ssl-ciphers`",
        "Ciphers towards clients, up to TLS 1.2.",
    ),
    Definition::new("ssl-prefer-server-ciphers", BOOL, Fallback, Low).scope(Host).documented(
        Tls,
        "true",
        "The order of our ciphers counts, not that of the client's.",
    ),
];

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
