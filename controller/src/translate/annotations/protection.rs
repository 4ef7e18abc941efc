//! Annotations that protect and are not available yet: their locations answer 503 rather than stand open.
//!
//! Each family leaves this file for one of its own when it is there. Names that mean nothing without another are
//! checked only beside it, as in the reference.

use super::{
    Annotations,
    check::{ANY, BASIC, BOOL, Check, INT, ON_OFF, parse_bool},
    definition::{
        Bad::{self, Fallback, Refuse},
        Definition,
        Needs::Present,
        Risk::{self, High, Low, Medium},
        Scope::{Host, LocationAndHost},
    },
    group::Group::{Auth, Protocol, Tls},
    values::Values,
};

const MATCH_CN: Check =
    Check::new(|value| value.starts_with("CN="), "CN= and a regular expression");

const MODE: Check = Check::choice(
    |value| matches!(value.trim(), "on" | "off" | "optional" | "optional_no_ca"),
    "on, off, optional or optional_no_ca",
);
const PROTOCOL: Check = Check::choice(
    |value| is_plain_http(value) || is_other_protocol(value),
    "HTTP, HTTPS, AUTO_HTTP, GRPC, GRPCS or FCGI",
);

/// This protects every location of the hosts of its Ingress, whoever owns them (annotations §3.5).
const HOST_WIDE: &str = "auth-tls-secret";
/// Whether a value of an annotation asks for nothing.
type AsksForNothing = fn(&str) -> bool;
/// These protect unless their value is empty or one that asks for nothing. A value that cannot be read protects: it
/// gets here where validation is switched off, which must not open anything (annotations §1.4).
const UNLESS: [(&str, AsksForNothing); 5] = [
    ("auth-tls-secret", |_| false),
    // Without these, what is meant to be encrypted or checked on its way to the upstream would be neither.
    ("backend-protocol", is_plain_http),
    ("proxy-ssl-secret", |_| false),
    ("proxy-ssl-verify", |value| value.trim() == "off"),
    ("ssl-passthrough", |value| parse_bool(value) == Some(false)),
];

pub const ANNOTATIONS: &[Definition] = &[
    tls("auth-tls-error-page", ANY, Refuse, High).documented(
        Auth,
        "the stock page",
        "Where clients without a good certificate are sent.",
    ),
    tls("auth-tls-match-cn", MATCH_CN, Refuse, High).documented(
        Auth,
        "anybody",
        "`CN=` and a regular expression that the certificate's subject has to match.",
    ),
    tls("auth-tls-pass-certificate-to-upstream", BOOL, Refuse, Low).documented(
        Auth,
        "false",
        "The upstream sees the certificate in `ssl-client-cert`.",
    ),
    Definition::new("auth-tls-secret", BASIC, Refuse, Medium).scope(Host).documented(
        Auth,
        "no certificate is asked for",
        "Secret (`NAMESPACE/NAME`) with the authorities of clients' certificates.",
    ),
    tls("auth-tls-verify-client", MODE, Fallback, Medium).documented(
        Auth,
        "on",
        "Whether clients have to show a certificate.",
    ),
    tls("auth-tls-verify-depth", INT, Fallback, Low).documented(
        Auth,
        "1",
        "Authorities that may stand between a certificate and the Secret's.",
    ),
    Definition::new("backend-protocol", PROTOCOL, Fallback, Low).documented(
        Protocol,
        "HTTP",
        "How upstreams are spoken to. Only `HTTP` is there yet.",
    ),
    Definition::new("proxy-ssl-secret", BASIC, Refuse, Medium).scope(LocationAndHost).documented(
        Tls,
        "none",
        "Secret (`NAMESPACE/NAME`) with the certificate to show to upstreams, and their authorities.",
    ),
    Definition::new("proxy-ssl-verify", ON_OFF, Fallback, Low).scope(LocationAndHost).documented(
        Tls,
        "off",
        "Whether certificates of upstreams are verified.",
    ),
    Definition::new("ssl-passthrough", BOOL, Refuse, Low).scope(Host).documented(
        Tls,
        "false",
        "Connections reach the upstream still encrypted.",
    ),
];

const fn tls(name: &'static str, check: Check, bad: Bad, risk: Risk) -> Definition {
    Definition::new(name, check, bad, risk).needs(Present("auth-tls-secret")).scope(Host)
}

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
    if values.raw(HOST_WIDE).is_some() {
        annotations.denies_hosts = Some(HOST_WIDE);
    }
    if let Some(reason) = values.denied.take() {
        annotations.denied = Some(reason);
    } else if !active.is_empty() {
        let names = active.join(", ");
        let whose = if active.contains(&HOST_WIDE) {
            "all locations of its hosts"
        } else {
            "the locations"
        };
        annotations.denied.get_or_insert_with(|| {
            format!("{names} is not available yet: {whose} answer 503 rather than stand open")
        });
    }
}
