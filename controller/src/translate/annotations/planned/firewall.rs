//! A firewall. There is none here: its locations are served unfiltered, with a warning (annotations §3.22).

use crate::translate::annotations::{
    check::{BOOL, VARIABLES},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{High, Low},
    },
    group::Group::Firewall,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("enable-modsecurity", BOOL, Fallback, Low).documented(
        Firewall,
        "ConfigMap: `enable-modsecurity`, false",
        "Filters requests. There is no firewall here: they are served unfiltered, with a warning.",
    ),
    Definition::new("enable-owasp-core-rules", BOOL, Fallback, Low).documented(
        Firewall,
        "false",
        "Filters by the rules of OWASP.",
    ),
    Definition::new("modsecurity-transaction-id", VARIABLES, Fallback, High).documented(
        Firewall,
        "unset",
        "Id of a request in its log.",
    ),
];
