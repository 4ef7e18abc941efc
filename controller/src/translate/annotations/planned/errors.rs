//! Error pages of a Service of its own (annotations §3.19).

use crate::translate::annotations::{
    check::{BOOL, Check},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::Low,
    },
    group::Group::Routing,
};

const STATUSES: Check = Check::list(is_status_list, "statuses from 400 to 599 separated by commas");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("custom-http-errors", STATUSES, Refuse, Low).documented(
        Routing,
        "ConfigMap: `custom-http-errors`",
        "Statuses whose pages the default backend makes.",
    ),
    Definition::new("disable-proxy-intercept-errors", BOOL, Fallback, Low).documented(
        Routing,
        "ConfigMap: `disable-proxy-intercept-errors`, false",
        "`true`: answers of upstreams are left alone by that.",
    ),
];

fn is_status_list(value: &str) -> bool {
    let value: String = value.chars().filter(|c| *c != ' ').collect();
    value.split(',').all(|item| {
        item.len() == 3 && item.parse::<u16>().is_ok_and(|status| (400..600).contains(&status))
    })
}
