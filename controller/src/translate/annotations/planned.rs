//! Annotations that are known and not supported yet: checked as far as a bad value refuses the Ingress, and named once.
//!
//! Each family leaves this file for one of its own when it is there.

use super::{
    Annotations,
    check::{ANY, BASIC, BOOL, Check, INT, URL, VARIABLES},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Needs::Absent,
        Risk::{self, High, Low, Medium},
    },
    values::Values,
};

const BALANCERS: &[&str] =
    &["round_robin", "chash", "chashsubset", "sticky_balanced", "sticky_persistent", "ewma"];
const LOAD_BALANCE: Check =
    Check::new(|value| BALANCERS.contains(&value.trim()), "round_robin or ewma");
const CONNECTION: Check =
    Check::new(|value| matches!(value.trim(), "close" | "keep-alive"), "close or keep-alive");
const STATUSES: Check = Check::new(is_status_list, "statuses from 400 to 599 separated by commas");
const CIPHERS: Check = Check::new(
    |value| value.chars().all(|c| c.is_ascii_alphanumeric() || "!:+-_@= ".contains(c)),
    "a list of ciphers",
);
const FILE: Check = Check::new(
    |value| value.chars().all(|c| c.is_ascii_alphanumeric() || ".-_ ".contains(c)),
    "a file name",
);

pub const ANNOTATIONS: &[Definition] = &[
    any("affinity", Low),
    any("affinity-canary-behavior", Low),
    any("affinity-mode", Medium),
    Definition::new("connection-proxy-header", CONNECTION, Refuse, Low),
    any("cors-allow-credentials", Low),
    any("cors-allow-headers", Medium),
    any("cors-allow-methods", Medium),
    any("cors-allow-origin", Medium),
    any("cors-expose-headers", Medium),
    any("cors-max-age", Low),
    any("custom-headers", Medium),
    Definition::new("custom-http-errors", STATUSES, Refuse, Low),
    any("disable-proxy-intercept-errors", Low),
    any("enable-cors", Low),
    any("enable-modsecurity", Low),
    any("enable-opentelemetry", Low),
    any("enable-owasp-core-rules", Low),
    Definition::new("fastcgi-index", FILE, Refuse, Medium),
    Definition::new("fastcgi-params-configmap", BASIC, Refuse, Medium),
    Definition::new("from-to-www-redirect", BOOL, Refuse, Low),
    Definition::new("load-balance", LOAD_BALANCE, Refuse, Low),
    any("mirror-host", High),
    any("mirror-request-body", Low),
    any("mirror-target", High),
    any("modsecurity-transaction-id", High),
    any("opentelemetry-operation-name", Medium),
    any("opentelemetry-trust-incoming-span", Low),
    Definition::new("permanent-redirect", URL, Refuse, Medium).needs(Absent("temporal-redirect")),
    Definition::new("permanent-redirect-code", INT, Refuse, Low).needs(Absent("temporal-redirect")),
    any("proxy-buffering", Low),
    any("proxy-cookie-domain", Medium),
    any("proxy-cookie-path", Medium),
    any("proxy-http-version", Low),
    any("proxy-redirect-from", Medium),
    any("proxy-redirect-to", Medium),
    any("proxy-ssl-ciphers", Medium),
    any("proxy-ssl-name", High),
    any("proxy-ssl-protocols", Low),
    any("proxy-ssl-server-name", Low),
    any("proxy-ssl-verify-depth", Low),
    any("session-cookie-change-on-failure", Low),
    any("session-cookie-conditional-samesite-none", Low),
    any("session-cookie-domain", Medium),
    any("session-cookie-expires", Medium),
    any("session-cookie-max-age", Medium),
    any("session-cookie-name", Medium),
    any("session-cookie-path", Medium),
    any("session-cookie-samesite", Low),
    any("session-cookie-secure", Low),
    Definition::new("ssl-ciphers", CIPHERS, Refuse, Low),
    any("ssl-prefer-server-ciphers", Low),
    Definition::new("temporal-redirect", URL, Refuse, Medium),
    Definition::new("temporal-redirect-code", INT, Refuse, Low),
    Definition::new("upstream-hash-by", VARIABLES, Refuse, High),
    Definition::new("upstream-hash-by-subset", BOOL, Refuse, Low),
    Definition::new("upstream-hash-by-subset-size", INT, Refuse, Low),
];

/// Values that ask for nothing but what happens anyway.
const NO_WISH: &[(&str, &str)] = &[
    ("enable-cors", "false"),
    ("enable-modsecurity", "false"),
    ("enable-opentelemetry", "false"),
    ("from-to-www-redirect", "false"),
    ("load-balance", "round_robin"),
    ("proxy-buffering", "off"),
    ("proxy-cookie-domain", "off"),
    ("proxy-cookie-path", "off"),
    ("proxy-http-version", "1.1"),
    ("proxy-redirect-from", "off"),
];

const fn any(name: &'static str, risk: Risk) -> Definition {
    Definition::new(name, ANY, Fallback, risk)
}

pub fn read(values: &mut Values<'_>, _: &mut Annotations) {
    let is_wish =
        |name: &&str| values.raw(name).is_some_and(|value| !NO_WISH.contains(&(name, value)));
    let names: Vec<_> =
        ANNOTATIONS.iter().map(|definition| definition.name).filter(is_wish).collect();
    if !names.is_empty() {
        values.warn(
            "NotSupported",
            format!("annotations {} are not supported yet and have no effect", names.join(", ")),
        );
    }
}

fn is_status_list(value: &str) -> bool {
    let value: String = value.chars().filter(|c| *c != ' ').collect();
    value.split(',').all(|item| {
        item.len() == 3 && item.parse::<u16>().is_ok_and(|status| (400..600).contains(&status))
    })
}
