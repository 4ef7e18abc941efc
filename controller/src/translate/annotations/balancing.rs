//! Which endpoint serves a request (annotations §3.13).

use std::{num::NonZeroU32, sync::Arc};

use headgate_config::balance::{Balance, HashBy};

use super::{
    Annotations,
    check::{BOOL, Check, INT, VARIABLES},
    definition::{
        Bad::Refuse,
        Definition,
        Risk::{High, Low},
        Scope::Service,
    },
    external_auth::text::check_variables,
    group::Group::LoadBalancing,
    values::Values,
};

/// Endpoints in a group, where nothing sensible is said.
const SUBSET: NonZeroU32 = NonZeroU32::new(3).expect("three is not zero");
const HASH_BY: &str = "upstream-hash-by";
const HASH_GROUP: [&str; 3] = [HASH_BY, "upstream-hash-by-subset", "upstream-hash-by-subset-size"];

const BALANCERS: &[&str] =
    &["round_robin", "chash", "chashsubset", "sticky_balanced", "sticky_persistent", "ewma"];
const BALANCER: Check =
    Check::choice(|value| BALANCERS.contains(&value.trim()), "round_robin or ewma");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("load-balance", BALANCER, Refuse, Low).scope(Service).documented(
        LoadBalancing,
        "ConfigMap: `load-balance`, round_robin",
        "`ewma`: the better of two random endpoints, by how fast they have been answering of late.",
    ),
    Definition::new("upstream-hash-by", VARIABLES, Refuse, High).scope(Service).documented(
        LoadBalancing,
        "unset",
        "Requests for which this text is the same go to the same endpoint.",
    ),
    Definition::new("upstream-hash-by-subset", BOOL, Refuse, Low).scope(Service).documented(
        LoadBalancing,
        "false",
        "They go to one of the same few endpoints.",
    ),
    Definition::new("upstream-hash-by-subset-size", INT, Refuse, Low).scope(Service).documented(
        LoadBalancing,
        "3",
        "How many that are.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if let Some(word) = values.text("load-balance") {
        annotations.balance = method(&word).unwrap_or_else(|_| {
            if values.text(HASH_BY).is_none() && values.text("affinity").is_none() {
                let message = format!(
                    "load-balance: {word:?} needs upstream-hash-by or affinity; without them the endpoints are asked in turn"
                );
                values.warn("InvalidAnnotation", message);
            }
            Balance::RoundRobin
        });
    }
    // One empty value makes the reference skip all three (annotations §1.4).
    let is_empty = |name: &&str| values.is_present(name) && values.written(name).is_none();
    if HASH_GROUP.iter().any(is_empty) {
        return;
    }
    let Some(key) = values.text(HASH_BY) else { return };
    if let Err(problem) = check_variables(&key) {
        let message = format!("{HASH_BY}: {problem}; it is empty for every request: name another");
        values.warn("InvalidAnnotation", message);
    }
    let subset = values.bool(HASH_GROUP[1]).unwrap_or(false).then(|| subset_size(values));
    annotations.balance = Balance::Hash(Arc::new(HashBy { key, subset }));
}

/// A word of `load-balance` that means something by itself; an error says what that is.
pub fn method(word: &str) -> Result<Balance, &'static str> {
    match word.trim() {
        "" | "round_robin" => Ok(Balance::RoundRobin),
        "ewma" => Ok(Balance::Ewma),
        _ => Err("round_robin or ewma"),
    }
}

fn subset_size(values: &mut Values<'_>) -> NonZeroU32 {
    let size = values.int(HASH_GROUP[2]).unwrap_or(0);
    if size < 0 {
        let message = format!(
            "{}: {size} is below zero and counts as {SUBSET}; give a number above zero",
            HASH_GROUP[2]
        );
        values.warn("InvalidAnnotation", message);
    }
    u32::try_from(size.max(0)).ok().and_then(NonZeroU32::new).unwrap_or(SUBSET)
}
