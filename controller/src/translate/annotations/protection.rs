//! Annotations that protect and are not available yet: their locations answer 503 rather than stand open.
//!
//! Each family leaves this file for one of its own when it is there.

use super::{
    Annotations,
    check::{Check, FULL_REFERENCE, ON_OFF},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{Low, Medium},
        Scope::LocationAndHost,
    },
    group::Group::{Protocol, Tls},
    values::Values,
};

const PROTOCOL: Check = Check::choice(
    |value| is_plain_http(value) || is_other_protocol(value),
    "HTTP, HTTPS, AUTO_HTTP, GRPC, GRPCS or FCGI",
);

/// Whether a value of an annotation asks for nothing.
type AsksForNothing = fn(&str) -> bool;
/// These protect unless their value is empty or one that asks for nothing. A value that cannot be read protects: it
/// gets here where validation is switched off, which must not open anything (annotations §1.4).
const UNLESS: [(&str, AsksForNothing); 3] = [
    // Without these, what is meant to be encrypted or checked on its way to the upstream would be neither.
    ("backend-protocol", is_plain_http),
    ("proxy-ssl-secret", |_| false),
    ("proxy-ssl-verify", |value| value.trim() == "off"),
];

pub const ANNOTATIONS: &[Definition] =
    &[
        Definition::new("backend-protocol", PROTOCOL, Fallback, Low).documented(
            Protocol,
            "HTTP",
            "How upstreams are spoken to. Only `HTTP` is there yet.",
        ),
        Definition::new("proxy-ssl-secret", FULL_REFERENCE, Refuse, Medium)
            .scope(LocationAndHost)
            .documented(
                Tls,
                "none",
                "Secret with the certificate to show to upstreams, and their authorities.",
            ),
        Definition::new("proxy-ssl-verify", ON_OFF, Fallback, Low)
            .scope(LocationAndHost)
            .documented(Tls, "off", "Whether certificates of upstreams are verified."),
    ];

fn is_plain_http(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("HTTP")
}

/// Whether a protocol is known and is not plain HTTP.
fn is_other_protocol(value: &str) -> bool {
    ["HTTPS", "AUTO_HTTP", "GRPC", "GRPCS", "FCGI"]
        .iter()
        .any(|protocol| value.trim().eq_ignore_ascii_case(protocol))
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let others = UNLESS.into_iter().filter_map(|(name, asks_for_nothing)| {
        values.raw(name).filter(|value| !asks_for_nothing(value)).map(|_| name)
    });
    let active: Vec<_> = others.collect();
    if !active.is_empty() {
        let names = active.join(", ");
        annotations.deny(format!(
            "{names} is not available yet: the locations answer 503 rather than stand open"
        ));
    }
}
