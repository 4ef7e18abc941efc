//! `upstream-vhost`: the `Host` header that the upstream sees (annotations §3.15).

use super::{
    Annotations,
    check::REGEX_CHARACTERS,
    definition::{Bad::Refuse, Definition, Risk::Low},
    group::Group::Headers,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] =
    &[Definition::new("upstream-vhost", REGEX_CHARACTERS, Refuse, Low).documented(
        Headers,
        "the client's `Host`",
        "`Host` header that the upstream sees.",
    )];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    annotations.upstream_host = values.text("upstream-vhost");
}
