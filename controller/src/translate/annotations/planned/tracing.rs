//! OpenTelemetry (annotations §3.21).

use crate::translate::annotations::{
    check::{BOOL, Check},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Needs::True,
        Risk::{Low, Medium},
    },
    group::Group::Observability,
};

const OPERATION: Check = Check::new(
    |value| value.chars().all(|c| c.is_ascii_alphanumeric() || " _-".contains(c)),
    "letters, digits, spaces and _-",
);

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("enable-opentelemetry", BOOL, Fallback, Low).documented(
        Observability,
        "ConfigMap: `enable-opentelemetry`, false",
        "Traces requests.",
    ),
    Definition::new("opentelemetry-operation-name", OPERATION, Refuse, Medium)
        .needs(True("enable-opentelemetry"))
        .documented(Observability, "unset", "Name of their spans."),
    Definition::new("opentelemetry-trust-incoming-span", BOOL, Fallback, Low)
        .needs(True("enable-opentelemetry"))
        .documented(
            Observability,
            "ConfigMap: `opentelemetry-trust-incoming-span`, true",
            "Goes on with the trace that a client names.",
        ),
];
