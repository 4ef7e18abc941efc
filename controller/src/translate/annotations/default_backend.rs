//! `default-backend`: who answers while the Service of a path has no endpoint (annotations §3.19).

use super::{
    Annotations,
    check::SERVICE,
    definition::{Bad::Refuse, Definition, Risk::Low},
    group::Group::Routing,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[Definition::new("default-backend", SERVICE, Refuse, Low)
    .documented(
        Routing,
        "the default backend",
        "Service of the same namespace that answers while a path's Service has no endpoint.",
    )];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    annotations.default_backend = values.text("default-backend");
}
