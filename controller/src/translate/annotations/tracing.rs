//! OpenTelemetry (annotations §3.21).

use std::sync::Arc;

use headgate_config::SpanRules;

use super::{
    Annotations,
    check::{BOOL, Check},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Needs::True,
        Risk::{Low, Medium},
    },
    group::Group::Observability,
    values::Values,
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
        .documented(
            Observability,
            "ConfigMap: `opentelemetry-operation-name`, or the path",
            "Name of their spans.",
        ),
    Definition::new("opentelemetry-trust-incoming-span", BOOL, Fallback, Low)
        .needs(True("enable-opentelemetry"))
        .documented(
            Observability,
            "ConfigMap: `opentelemetry-trust-incoming-span`, true",
            "Goes on with the trace that a client names.",
        ),
];

/// What is said about spans of requests.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanWish {
    /// Requests have spans.
    pub on: bool,
    /// What is said about them.
    pub rules: Arc<SpanRules>,
    /// Somebody gets them: the ConfigMap names a collector.
    pub has_collector: bool,
}

impl Default for SpanWish {
    fn default() -> Self {
        let rules = SpanRules { operation: None, trusts_client: true };
        Self { on: false, rules: Arc::new(rules), has_collector: false }
    }
}

impl SpanWish {
    /// What is said about the spans of a location, if it has any.
    pub fn settled(&self) -> Option<Arc<SpanRules>> {
        self.on.then(|| self.rules.clone())
    }

    /// Changes what is said about them.
    pub fn rules(&mut self) -> &mut SpanRules {
        Arc::make_mut(&mut self.rules)
    }
}

/// Why nobody gets spans, and what is to be done about it.
pub const NO_COLLECTOR: &str = "otlp-collector-host of the ConfigMap names no collector: upstreams are told about traces, and nobody gets the spans of this gateway";

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let Some(on) = values.bool("enable-opentelemetry") else { return };
    let wish = &mut annotations.spans;
    let was_on = std::mem::replace(&mut wish.on, on);
    if let Some(name) = values.text("opentelemetry-operation-name") {
        wish.rules().operation = Some(name);
    }
    if let Some(trusts) = values.bool("opentelemetry-trust-incoming-span") {
        wish.rules().trusts_client = trusts;
    }
    // Where they are on for all, the ConfigMap has heard it.
    if on && !was_on && !wish.has_collector {
        values.warn("NotAvailable", format!("enable-opentelemetry: {NO_COLLECTOR}"));
    }
}
