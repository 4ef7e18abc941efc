//! What the API servers' audit log says: who asked for what, and what was refused.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;

/// One request, as the API server logged it. Resources of the core group have an empty `group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// `system:serviceaccount:NAMESPACE:NAME` for ServiceAccounts.
    pub user: String,
    /// Tells tokens of one ServiceAccount apart, so that replicas can be told apart; empty for users without.
    pub credential: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// API group.
    pub group: String,
    /// Resource with its subresource, as RBAC rules have it: `ingresses/status`. Empty for requests about no resource.
    pub resource: String,
    /// Namespace of the object, empty for all of them.
    pub namespace: String,
    /// Name of the object, empty for all of them.
    pub name: String,
    /// The request's target with its query.
    pub target: String,
    /// Status of the answer.
    pub status: u64,
    /// Whether authorization refused the request.
    pub forbidden: bool,
    /// When the request arrived.
    pub received: Timestamp,
}

/// A verb on a resource: group, resource with subresource, verb.
pub type Used = (String, String, String);

/// The audit log at one moment, oldest first within one API server.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// All that was logged.
    pub events: Vec<AuditEvent>,
}

impl Audit {
    /// Reads a log; a file that does not exist holds nothing.
    pub(crate) fn read(&mut self, path: &Path) -> Result<()> {
        let text = fs::read_to_string(path).unwrap_or_default();
        // The last line may still be written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            if let Some(event) = AuditEvent::parse(&serde_json::from_str(line)?)? {
                self.events.push(event);
            }
        }
        Ok(())
    }

    /// Requests of one ServiceAccount.
    pub fn service_account(&self, namespace: &str, name: &str) -> Self {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        Self { events: self.events.iter().filter(|event| event.user == user).cloned().collect() }
    }

    /// Requests that arrived in this time. The moments after an API server's start are left out by asking for what came later.
    pub fn since(&self, start: Timestamp) -> Self {
        Self {
            events: self.events.iter().filter(|event| event.received >= start).cloned().collect(),
        }
    }

    /// Requests that were refused for lack of permission.
    pub fn forbidden(&self) -> Vec<&AuditEvent> {
        self.events.iter().filter(|event| event.forbidden).collect()
    }

    /// What was used of the permissions: everything that was asked for and allowed.
    pub fn used(&self) -> BTreeSet<Used> {
        let allowed =
            self.events.iter().filter(|event| !event.forbidden && !event.resource.is_empty());
        allowed
            .map(|event| (event.group.clone(), event.resource.clone(), event.verb.clone()))
            .collect()
    }
}

impl AuditEvent {
    /// The event of one line; nothing for stages other than the end of a request, but for watches, which are told when they start.
    fn parse(line: &Value) -> Result<Option<Self>> {
        let text = |pointer: &str| {
            line.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let stage = text("/stage");
        let watch = text("/verb") == "watch";
        if (watch && stage != "ResponseStarted") || (!watch && stage != "ResponseComplete") {
            return Ok(None);
        }
        let (mut resource, subresource) =
            (text("/objectRef/resource"), text("/objectRef/subresource"));
        if !subresource.is_empty() {
            resource = format!("{resource}/{subresource}");
        }
        Ok(Some(Self {
            user: text("/user/username"),
            credential: text("/user/extra/authentication.kubernetes.io~1credential-id/0"),
            verb: text("/verb"),
            group: text("/objectRef/apiGroup"),
            resource,
            namespace: text("/objectRef/namespace"),
            name: text("/objectRef/name"),
            target: text("/requestURI"),
            status: line
                .pointer("/responseStatus/code")
                .and_then(Value::as_u64)
                .unwrap_or_default(),
            forbidden: text("/annotations/authorization.k8s.io~1decision") == "forbid",
            received: text("/requestReceivedTimestamp").parse()?,
        }))
    }
}
