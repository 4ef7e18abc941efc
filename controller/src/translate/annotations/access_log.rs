//! `enable-access-log` (annotations §3.21).

use super::{
    Annotations,
    check::BOOL,
    definition::{Bad::Fallback, Definition, Risk::Low},
    group::Group::Observability,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[Definition::new("enable-access-log", BOOL, Fallback, Low)
    .documented(Observability, "true", "`false`: requests are not written to the access log.")];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    annotations.access_log = values.bool("enable-access-log").unwrap_or(true);
}
