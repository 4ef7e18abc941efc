//! `canary`: such an Ingress has no hosts and locations of its own (routing §13). Its share of traffic is not given to
//! it yet; the primary serves everything.

use super::{
    Annotations,
    check::{ANY, BOOL},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{Low, Medium},
    },
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("canary", BOOL, Fallback, Low),
    Definition::new("canary-by-cookie", ANY, Fallback, Medium),
    Definition::new("canary-by-header", ANY, Fallback, Medium),
    Definition::new("canary-by-header-pattern", ANY, Fallback, Medium),
    Definition::new("canary-by-header-value", ANY, Fallback, Medium),
    Definition::new("canary-weight", ANY, Fallback, Low),
    Definition::new("canary-weight-total", ANY, Fallback, Low),
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
