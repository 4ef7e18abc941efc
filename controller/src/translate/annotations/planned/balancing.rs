//! Which endpoint serves a request (annotations §3.12).

use crate::translate::annotations::{
    check::{BOOL, Check, INT, VARIABLES},
    definition::{
        Bad::Refuse,
        Definition,
        Risk::{High, Low},
        Scope::Service,
    },
    group::Group::LoadBalancing,
};

const BALANCERS: &[&str] =
    &["round_robin", "chash", "chashsubset", "sticky_balanced", "sticky_persistent", "ewma"];
const BALANCER: Check =
    Check::choice(|value| BALANCERS.contains(&value.trim()), "round_robin or ewma");

pub const ANNOTATIONS: &[Definition] =
    &[
        Definition::new("load-balance", BALANCER, Refuse, Low).scope(Service).documented(
            LoadBalancing,
            "ConfigMap: `load-balance`, round_robin",
            "`ewma`: the endpoint that has been answering fastest.",
        ),
        Definition::new("upstream-hash-by", VARIABLES, Refuse, High).scope(Service).documented(
            LoadBalancing,
            "unset",
            "Requests for which this text is the same go to the same endpoint.",
        ),
        Definition::new("upstream-hash-by-subset", BOOL, Refuse, Low).scope(Service).documented(
            LoadBalancing,
            "false",
            "They go to the same few endpoints.",
        ),
        Definition::new("upstream-hash-by-subset-size", INT, Refuse, Low)
            .scope(Service)
            .documented(LoadBalancing, "3", "How many that are."),
    ];
