//! Encryption, as far as nothing is open without it (annotations §3.4, §3.14).

use crate::translate::annotations::{
    check::{BOOL, Check, INT, ON_OFF, REGEX_CHARACTERS},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{High, Low, Medium},
        Scope::{Host, LocationAndHost},
    },
    group::Group::Tls,
};

const CIPHERS: Check = Check::list(is_cipher_list, "ciphers as OpenSSL lists them");
const UPSTREAM_CIPHERS: Check = Check::list(
    |value| value.chars().all(|c| c.is_ascii_alphanumeric() || "+:_-! ".contains(c)),
    "ciphers as OpenSSL lists them",
);
const PROTOCOLS: Check = Check::list(
    |value| value.split_whitespace().all(|word| matches!(word, "TLSv1.2" | "TLSv1.3")),
    "TLSv1.2, TLSv1.3 or both",
);

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("proxy-ssl-ciphers", UPSTREAM_CIPHERS, Fallback, Medium)
        .scope(LocationAndHost)
        .documented(Tls, "DEFAULT", "Ciphers towards upstreams."),
    Definition::new("proxy-ssl-name", REGEX_CHARACTERS, Fallback, High)
        .scope(LocationAndHost)
        .documented(Tls, "unset", "Name that an upstream's certificate has to have."),
    Definition::new("proxy-ssl-protocols", PROTOCOLS, Fallback, Low)
        .scope(LocationAndHost)
        .documented(Tls, "TLSv1.2", "Versions of TLS towards upstreams."),
    Definition::new("proxy-ssl-server-name", ON_OFF, Fallback, Low)
        .scope(LocationAndHost)
        .documented(Tls, "off", "Tells upstreams which host is wanted (SNI)."),
    Definition::new("proxy-ssl-verify-depth", INT, Fallback, Low)
        .scope(LocationAndHost)
        .documented(
            Tls,
            "1",
            "Authorities that may stand between an upstream's certificate and the Secret's.",
        ),
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
