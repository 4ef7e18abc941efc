//! Copies of requests (annotations §3.20).

use std::sync::Arc;

use headgate_config::Mirror;

use super::{
    Annotations,
    check::{ON_OFF, REGEX_CHARACTERS},
    definition::{
        Bad::Fallback,
        Definition, Needs,
        Risk::{High, Low},
    },
    external_auth::text,
    group::Group,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("mirror-host", REGEX_CHARACTERS, Fallback, High)
        .needs(Needs::Present("mirror-target"))
        .documented(Group::Mirror, "the host of `mirror-target`", "`Host` header of the copy."),
    Definition::new("mirror-request-body", ON_OFF, Fallback, Low)
        .needs(Needs::Present("mirror-target"))
        .documented(Group::Mirror, "on", "`off`: copies have no body."),
    Definition::new("mirror-target", REGEX_CHARACTERS, Fallback, High).documented(
        Group::Mirror,
        "none",
        "Where a copy of each request is sent. Its answer counts for nothing.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let Some(target) = values.text("mirror-target") else { return };
    let upstream = match text::check_url(&target, values.subject.options) {
        Ok(upstream) => upstream,
        Err(reason) => {
            let message = format!("mirror-target: {reason}; requests are not mirrored");
            return values.warn("InvalidAnnotation", message);
        }
    };
    let mut host = values.text("mirror-host");
    if let Some(Err(reason)) = host.as_deref().map(text::check_variables) {
        let message =
            format!("mirror-host: {reason}; the host of mirror-target is named: correct it");
        values.warn("InvalidAnnotation", message);
        host = None;
    }
    let key = values.subject.key;
    annotations.mirror = Some(Arc::new(Mirror {
        target,
        // There the last part is the object's UID, which files do not have.
        default_path: format!("/_mirror-{}-{}", key.namespace(), key.name()),
        upstream,
        host,
        with_body: values.text("mirror-request-body").is_none_or(|word| word != "off"),
    }));
}
