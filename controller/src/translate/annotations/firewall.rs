//! A firewall. There is none here: its locations are served unfiltered, and a warning says so (annotations §3.22).

use super::{
    Annotations,
    check::{BOOL, VARIABLES},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{High, Low},
    },
    group::Group::Firewall,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("enable-modsecurity", BOOL, Fallback, Low).documented(
        Firewall,
        "ConfigMap: `enable-modsecurity`, false",
        "Filters requests. There is no firewall here: they are served unfiltered, with a warning.",
    ),
    Definition::new("enable-owasp-core-rules", BOOL, Fallback, Low).documented(
        Firewall,
        "false",
        "Filters by the rules of OWASP. The same.",
    ),
    Definition::new("modsecurity-transaction-id", VARIABLES, Fallback, High).documented(
        Firewall,
        "unset",
        "Id of a request in its log. There is no such log.",
    ),
];

pub fn read(values: &mut Values<'_>, _: &mut Annotations) {
    let asks = |name: &&&str| match **name {
        "modsecurity-transaction-id" => values.text(name).is_some(),
        name => values.bool(name) == Some(true),
    };
    let all = ANNOTATIONS.iter().map(|definition| &definition.name);
    let names: Vec<_> = all.filter(asks).copied().collect();
    if names.is_empty() {
        return;
    }
    let (ask, names) = (if names.len() == 1 { "asks" } else { "ask" }, names.join(", "));
    values.warn(
        "NotAvailable",
        format!(
            "{names} {ask} for a firewall, and there is none here: requests are served unfiltered; have them filtered elsewhere"
        ),
    );
}
