//! `canary`: such an Ingress has no hosts and locations of its own (routing §13). Its share of traffic is not given to
//! it yet; the primary serves everything.

use super::{
    Annotations,
    check::{BASIC, BOOL, INT, REGEX_CHARACTERS},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{Low, Medium},
        Scope::{Ingress, Service},
    },
    group::Group::Canary,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("canary", BOOL, Fallback, Low).scope(Ingress).documented(
        Canary,
        "false",
        "The Ingress has no hosts and paths of its own. It will get a share of those of the same name.",
    ),
    Definition::new("canary-by-cookie", BASIC, Fallback, Medium).scope(Service).documented(
        Canary,
        "none",
        "Cookie whose `always` or `never` decides.",
    ),
    Definition::new("canary-by-header", BASIC, Fallback, Medium).scope(Service).documented(
        Canary,
        "none",
        "Request header whose `always` or `never` decides.",
    ),
    Definition::new("canary-by-header-pattern", REGEX_CHARACTERS, Fallback, Medium)
        .scope(Service)
        .documented(Canary, "none", "Regular expression for the value of `canary-by-header`."),
    Definition::new("canary-by-header-value", BASIC, Fallback, Medium).scope(Service).documented(
        Canary,
        "none",
        "Value of `canary-by-header` that decides in place of `always`.",
    ),
    Definition::new("canary-weight", INT, Fallback, Low).scope(Service).documented(
        Canary,
        "0",
        "Share of the other requests.",
    ),
    Definition::new("canary-weight-total", INT, Fallback, Low).scope(Service).documented(
        Canary,
        "100",
        "What `canary-weight` is a share of, at least 100.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    annotations.canary = values.bool("canary").unwrap_or(false);
    if annotations.canary {
        values.warn(
            "NotSupported",
            "canary is not supported yet: all requests go to the primary Ingress".into(),
        );
    }
}
