//! What a snippet changes in the headers of a request before it is sent upstream.

use headgate_config::snippet::{InputAction, InputRule, Policy};
use http::HeaderMap;

use super::{Scope, answer::is_one_of};
use crate::{
    field_name::is_alike,
    filter::request_headers::{Override, is_value},
};

/// The headers of a request that a policy decides about, each once: the client's as they are changed, then what is sent
/// besides.
pub fn overrides(policy: &Policy, client: &HeaderMap, scope: Scope<'_>) -> Vec<Override<'static>> {
    let mut all = Vec::new();
    for rule in &policy.input {
        if rule.types.is_empty() || is_one_of(&rule.types, client) {
            change(&mut all, rule, client, scope);
        }
    }
    for header in &policy.sent {
        decide(&mut all, &header.name, scope.expand(&header.value).unwrap_or_default());
    }
    all
}

fn change(
    all: &mut Vec<Override<'static>>,
    rule: &InputRule,
    client: &HeaderMap,
    scope: Scope<'_>,
) {
    match &rule.action {
        InputAction::Set { name, value, only_if_there } => {
            if !only_if_there || client.contains_key(name.as_str()) {
                decide(all, name, scope.expand(value).unwrap_or_default());
            }
        }
        InputAction::Clear(name) => clear(all, name),
        InputAction::ClearPrefix(start) => {
            for name in client.keys().filter(|name| name.as_str().starts_with(start.as_str())) {
                clear(all, name.as_str());
            }
            all.retain(|known| {
                !known.name.to_ascii_lowercase().starts_with(start.as_str())
                    || known.value.is_none()
            });
        }
    }
}

/// Takes a header of the client away. What the gateway says itself about the client stays.
fn clear(all: &mut Vec<Override<'static>>, name: &str) {
    let is_own = matches!(name, "host" | "x-real-ip" | "x-request-id" | "x-scheme")
        || name.starts_with("x-forwarded-")
        || name.starts_with("x-original-forwarded-");
    if !is_own {
        decide(all, name, Vec::new());
    }
}

/// Says what a header is; without a value, or with one that no header can have, there is none.
fn decide(all: &mut Vec<Override<'static>>, name: &str, value: Vec<u8>) {
    all.retain(|known| !is_alike(&known.name, name));
    let is_sent = !value.is_empty() && is_value(&value);
    all.push(if is_sent {
        Override::set(name.to_owned(), value)
    } else {
        Override::remove(name.to_owned())
    });
}
