//! Statuses whose answers give way to those of an error backend (annotations §3.19).

use std::sync::Arc;

use super::{
    Annotations,
    check::{BOOL, Check},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::Low,
    },
    group::Group::Routing,
    values::Values,
};

const STATUSES: Check = Check::list(is_status_list, "statuses from 400 to 599 separated by commas");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("custom-http-errors", STATUSES, Refuse, Low).documented(
        Routing,
        "ConfigMap: `custom-http-errors`",
        "Statuses whose answers are replaced by those of `default-backend`, or of the default backend of all.",
    ),
    Definition::new("disable-proxy-intercept-errors", BOOL, Fallback, Low).documented(
        Routing,
        "ConfigMap: `disable-proxy-intercept-errors`, false",
        "`true`: only answers that the gateway makes itself are replaced, and not those of upstreams.",
    ),
];

/// Which answers of an Ingress's locations are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorRules {
    /// The statuses, sorted; none are those of the ConfigMap (`custom-http-errors`).
    pub statuses: Option<Arc<[u16]>>,
    /// Answers of upstreams are not (`disable-proxy-intercept-errors`).
    pub spares_upstreams: bool,
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if let Some(text) = values.raw("custom-http-errors") {
        annotations.errors.statuses = Some(statuses(text, 400).collect());
    }
    if let Some(spares) = values.bool("disable-proxy-intercept-errors") {
        annotations.errors.spares_upstreams = spares;
    }
}

/// The statuses of a list from `least` on, sorted and without repeats; what is none of them is left out.
pub fn statuses(text: &str, least: u16) -> impl Iterator<Item = u16> + use<> {
    let mut statuses: Vec<_> =
        items(text).filter_map(|item| status(&item)).filter(|status| *status >= least).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses.into_iter()
}

/// The items of a list, without blanks.
fn items(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|item| item.chars().filter(|c| !c.is_whitespace()).collect())
}

fn status(item: &str) -> Option<u16> {
    let status = item.parse().ok().filter(|status| (300..600).contains(status))?;
    (item.len() == 3).then_some(status)
}

fn is_status_list(value: &str) -> bool {
    let value: String = value.chars().filter(|c| *c != ' ').collect();
    value.split(',').all(|item| status(item).is_some_and(|status| status >= 400))
}

/// Whether every item of a list is a status from 300 to 599.
pub fn is_global_list(text: &str) -> bool {
    items(text).all(|item| status(&item).is_some())
}
