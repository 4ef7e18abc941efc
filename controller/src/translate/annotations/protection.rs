//! Annotations that protect and are not available yet: their locations answer 503 rather than stand open.
//!
//! Each family leaves this file for one of its own when it is there.

use super::{
    Annotations,
    check::{BOOL, parse_bool},
    definition::{Bad::Refuse, Definition, Risk::Low, Scope::Host},
    group::Group::Tls,
    values::Values,
};

/// Whether a value of an annotation asks for nothing.
type AsksForNothing = fn(&str) -> bool;
/// These protect unless their value is empty or one that asks for nothing. A value that cannot be read protects: it
/// gets here where validation is switched off, which must not open anything (annotations §1.4).
const UNLESS: [(&str, AsksForNothing); 1] =
    [("ssl-passthrough", |value| parse_bool(value) == Some(false))];

pub const ANNOTATIONS: &[Definition] = &[Definition::new("ssl-passthrough", BOOL, Refuse, Low)
    .scope(Host)
    .documented(Tls, "false", "Connections reach the upstream still encrypted.")];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let others = UNLESS.into_iter().filter_map(|(name, asks_for_nothing)| {
        values.raw(name).filter(|value| !asks_for_nothing(value)).map(|_| name)
    });
    let active: Vec<_> = others.collect();
    if !active.is_empty() {
        let names = active.join(", ");
        annotations.deny(format!(
            "{names} is not available yet: the locations answer 503 rather than stand open"
        ));
    }
}
