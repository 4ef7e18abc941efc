//! Copies of requests (annotations §3.20).

use crate::translate::annotations::{
    check::{ON_OFF, REGEX_CHARACTERS},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{High, Low},
    },
    group::Group::Mirror,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("mirror-host", REGEX_CHARACTERS, Fallback, High).documented(
        Mirror,
        "the host of `mirror-target`",
        "`Host` header of the copy.",
    ),
    Definition::new("mirror-request-body", ON_OFF, Fallback, Low).documented(
        Mirror,
        "on",
        "`off`: copies have no body.",
    ),
    Definition::new("mirror-target", REGEX_CHARACTERS, Fallback, High).documented(
        Mirror,
        "none",
        "Where a copy of each request is sent. Its answer counts for nothing.",
    ),
];
