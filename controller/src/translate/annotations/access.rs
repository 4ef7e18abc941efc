//! Lists of addresses, and whether one of several checks is enough (annotations §3.8).

use std::{collections::BTreeSet, sync::Arc};

use headgate_config::{Network, protection::AccessLists};

use super::{
    Annotations,
    check::{CIDRS, Check},
    definition::{
        Bad::{Deny, Fallback},
        Definition,
        Risk::{Low, Medium},
    },
    group::Group::Auth,
    values::Values,
};

const ALLOW: &str = "allowlist-source-range";
const DENY: &str = "denylist-source-range";
const SATISFY: &str = "satisfy";

const ANY_OR_ALL: Check =
    Check::choice(|value| matches!(value.trim(), "any" | "all"), "any or all");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new(ALLOW, CIDRS, Deny, Medium).alias("whitelist-source-range").documented(
        Auth,
        "ConfigMap: `whitelist-source-range`",
        "Only clients with these addresses are let in, others get 403. An empty list closes with 503.",
    ),
    Definition::new(DENY, CIDRS, Deny, Medium).documented(
        Auth,
        "ConfigMap: `denylist-source-range`",
        "Clients with these addresses get 403. An empty list closes with 503.",
    ),
    Definition::new(SATISFY, ANY_OR_ALL, Fallback, Low).documented(
        Auth,
        "all",
        "`any`: an address of the allow list or a proof of identity is enough.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    for (name, field) in [
        (ALLOW, (|lists, networks| lists.allow = networks) as fn(&mut AccessLists, _)),
        (DENY, |lists, networks| lists.deny = networks),
    ] {
        match list(values, name) {
            None => {}
            // It replaces that of the ConfigMap, and leaves the other list alone.
            Some(Ok(networks)) => field(lists(annotations), networks),
            Some(Err(reason)) => annotations.deny(reason),
        }
    }
    match values.raw(SATISFY).map(str::trim) {
        None | Some("all") => {}
        Some("any") => annotations.protect().any_is_enough = true,
        // Only without validation.
        Some(other) => annotations
            .deny(format!("{SATISFY}: {other:?} is neither any nor all; write one of them")),
    }
}

/// The lists of the locations, to be changed.
fn lists(annotations: &mut Annotations) -> &mut AccessLists {
    Arc::make_mut(annotations.protect().access.get_or_insert_default())
}

/// The networks of a list that is there, sorted; or why it cannot be honoured.
fn list(values: &Values<'_>, name: &str) -> Option<Result<Vec<Network>, String>> {
    let Some(text) = values.raw(name) else {
        // An empty list lets nobody through, and does not mean everybody (annotations §1.4). For one that did not pass
        // its check there is a reason already.
        let is_there = values.is_present(name);
        let whom = if name == ALLOW { "who may come" } else { "who may not" };
        let reason = format!(
            "{name} is empty: that is no list of addresses; name {whom}, or remove the annotation"
        );
        return is_there.then_some(Err(reason));
    };
    let networks: Result<BTreeSet<Network>, _> =
        text.split(',').map(|item| item.trim().parse()).collect();
    let networks = networks.map(|networks| networks.into_iter().collect());
    Some(networks.map_err(|_| format!("{name}: {text:?} is no list of addresses and networks; write it as 192.0.2.7, 10.0.0.0/8")))
}
