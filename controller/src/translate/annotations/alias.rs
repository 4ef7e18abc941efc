//! `server-alias`: further names of the Ingress's hosts (annotations §3.1, routing §2.6).

use std::collections::BTreeSet;

use super::{
    Annotations,
    check::NAMES,
    definition::{Bad::Refuse, Definition, Risk::High, Scope::Host},
    group::Group::Routing,
    values::Values,
};
use crate::translate::hosts::alias_pattern;

pub const ANNOTATIONS: &[Definition] =
    &[Definition::new("server-alias", NAMES, Refuse, High).scope(Host).documented(
        Routing,
        "none",
        "Further names of its hosts. The oldest Ingress of a host that has some decides.",
    )];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let Some(list) = values.raw("server-alias") else { return };
    let names: BTreeSet<_> =
        list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let (usable, odd): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| alias_pattern(name).is_some());
    if !odd.is_empty() {
        let message = format!(
            "server-alias {odd:?} matches no host and is left out: `*` may only stand for the first or the last labels"
        );
        values.warn("InvalidAnnotation", message);
    }
    annotations.aliases = usable.into_iter().map(str::to_owned).collect();
}
