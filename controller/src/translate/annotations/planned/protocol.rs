//! How upstreams are spoken to (annotations §3.14, §3.18).

use crate::translate::annotations::{
    check::{Check, REFERENCE},
    definition::{Bad::Refuse, Definition, Risk::Medium},
    group::Group::Protocol,
};

const FILE: Check = Check::new(
    |value| {
        let value = value.replace(' ', "");
        !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    },
    "a file name",
);

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
];
