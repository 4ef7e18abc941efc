//! Reading answers ahead of slow clients (annotations §3.17).

use crate::translate::annotations::{
    check::ON_OFF,
    definition::{Bad::Fallback, Definition, Risk::Low},
    group::Group::Buffering,
};

pub const ANNOTATIONS: &[Definition] = &[Definition::new("proxy-buffering", ON_OFF, Fallback, Low)
    .documented(
        Buffering,
        "ConfigMap: `proxy-buffering`, off",
        "`on`: answers are read ahead of slow clients.",
    )];
