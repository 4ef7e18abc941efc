//! How upstreams are spoken to (annotations §3.14, §3.18).

use crate::translate::annotations::{
    check::{Check, ON_OFF, REFERENCE},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{Low, Medium},
    },
    group::Group::{Buffering, Protocol},
};

const FILE: Check = Check::new(
    |value| {
        let value = value.replace(' ', "");
        !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    },
    "a file name",
);
const VERSION: Check = Check::choice(|value| matches!(value.trim(), "1.0" | "1.1"), "1.0 or 1.1");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("fastcgi-index", FILE, Refuse, Medium).documented(
        Protocol,
        "unset",
        "File that a path ending in a slash stands for, with FastCGI.",
    ),
    Definition::new("fastcgi-params-configmap", REFERENCE, Refuse, Medium).documented(
        Protocol,
        "none",
        "ConfigMap with parameters for FastCGI.",
    ),
    Definition::new("proxy-buffering", ON_OFF, Fallback, Low).documented(
        Buffering,
        "ConfigMap: `proxy-buffering`, off",
        "`on`: answers are read ahead of slow clients.",
    ),
    Definition::new("proxy-http-version", VERSION, Fallback, Low).documented(
        Protocol,
        "ConfigMap: `proxy-http-version`, 1.1",
        "Version of HTTP that upstreams are spoken to in.",
    ),
];
