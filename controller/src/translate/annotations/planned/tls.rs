//! Encryption, as far as nothing is open without it (annotations §3.4, §3.14).

use crate::translate::annotations::{
    check::{Check, INT, ON_OFF, REGEX_CHARACTERS},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{High, Low, Medium},
        Scope::LocationAndHost,
    },
    group::Group::Tls,
};

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
];
