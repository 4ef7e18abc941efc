//! Answers that lead elsewhere (annotations §3.3).

use crate::translate::annotations::{
    check::{BOOL, INT, URL},
    definition::{
        Bad::Refuse,
        Definition,
        Needs::Absent,
        Risk::{Low, Medium},
        Scope::Host,
    },
    group::Group::Redirect,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("from-to-www-redirect", BOOL, Refuse, Low).scope(Host).documented(
        Redirect,
        "false",
        "Leads from `www.` to the host, or from the host to `www.`.",
    ),
    Definition::new("permanent-redirect", URL, Refuse, Medium)
        .needs(Absent("temporal-redirect"))
        .documented(Redirect, "none", "URL or path that all requests are sent to, for good."),
    Definition::new("permanent-redirect-code", INT, Refuse, Low)
        .needs(Absent("temporal-redirect"))
        .documented(Redirect, "301", "Its status, 300 to 308."),
    Definition::new("temporal-redirect", URL, Refuse, Medium).documented(
        Redirect,
        "none",
        "URL that all requests are sent to, for now.",
    ),
    Definition::new("temporal-redirect-code", INT, Refuse, Low).documented(
        Redirect,
        "302",
        "Its status, 300 to 307.",
    ),
];
