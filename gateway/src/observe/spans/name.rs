//! What a location says about spans, ready to be used.

use headgate_config::{Host, Location};

use crate::filter::variables::{Template, Variables};

/// What a location says about spans.
pub struct LiveSpans {
    /// Go on with the trace that a client names.
    pub trusts_client: bool,
    /// Name of the host in the configuration.
    pub server_name: Box<str>,
    /// Path of the rule.
    pub route: Box<str>,
    operation: Option<Template>,
}

impl LiveSpans {
    /// Compiles what the location says, if it says anything.
    pub fn new(host: &Host, location: &Location) -> Option<Box<Self>> {
        let rules = location.spans.as_ref()?;
        Some(Box::new(Self {
            trusts_client: rules.trusts_client,
            server_name: host.name.as_str().into(),
            route: location.origin.path.as_str().into(),
            operation: rules.operation.as_deref().map(Template::new),
        }))
    }

    /// Whether the name of a span depends on its request.
    pub fn names_differ(&self) -> bool {
        self.operation.as_ref().is_some_and(|name| name.fixed().is_none())
    }

    /// The name of all spans, where it is that.
    pub fn fixed_name(&self) -> &str {
        let operation = self.operation.as_ref().and_then(Template::fixed);
        operation.filter(|name| !name.is_empty()).unwrap_or(&self.route)
    }

    /// The name of the span of a request.
    pub fn name(&self, variables: &Variables<'_>) -> Option<Box<[u8]>> {
        let name = self.operation.as_ref()?.expand(variables);
        (!name.is_empty()).then(|| (*name).into())
    }
}
