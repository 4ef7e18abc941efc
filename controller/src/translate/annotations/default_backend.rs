//! `default-backend`: who answers while the Service of a path has no endpoint (annotations §3.19).

use super::{
    Annotations,
    check::SERVICE,
    definition::{Bad::Refuse, Definition, Risk::Low},
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[Definition::new("default-backend", SERVICE, Refuse, Low)];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    annotations.default_backend = values.text("default-backend");
}
