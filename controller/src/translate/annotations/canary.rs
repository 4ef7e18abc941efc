//! `canary`: such an Ingress has no hosts and locations of its own. Its backends get a share of the requests of those
//! that others have at the same paths (annotations §3.11, routing §13).

use std::sync::Arc;

use headgate_config::balance::{CanaryHeader, CanaryRules, CanaryValue};

use super::{
    Annotations,
    check::{BASIC, BOOL, INT, REGEX_CHARACTERS},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{Low, Medium},
        Scope::{Ingress, Service},
    },
    group::Group::Canary,
    values::Values,
};

const PATTERN: &str = "canary-by-header-pattern";
/// Larger numbers are as good as this one.
const MOST: i64 = u32::MAX as i64;

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("canary", BOOL, Fallback, Low).scope(Ingress).documented(
        Canary,
        "false",
        "The Ingress has no hosts and paths of its own. Its Services get a share of the requests for those of the same name.",
    ),
    Definition::new("canary-by-cookie", BASIC, Fallback, Medium).scope(Service).documented(
        Canary,
        "none",
        "Cookie whose `always` or `never` decides.",
    ),
    Definition::new("canary-by-header", BASIC, Fallback, Medium).scope(Service).documented(
        Canary,
        "none",
        "Request header whose `always` or `never` decides.",
    ),
    Definition::new(PATTERN, REGEX_CHARACTERS, Fallback, Medium)
        .scope(Service)
        .documented(Canary, "none", "Regular expression for the value of `canary-by-header`."),
    Definition::new("canary-by-header-value", BASIC, Fallback, Medium).scope(Service).documented(
        Canary,
        "none",
        "Value of `canary-by-header` that decides in place of `always`.",
    ),
    Definition::new("canary-weight", INT, Fallback, Low).scope(Service).documented(
        Canary,
        "0",
        "Share of the other requests.",
    ),
    Definition::new("canary-weight-total", INT, Fallback, Low).scope(Service).documented(
        Canary,
        "100",
        "What `canary-weight` is a share of, at least 100.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    annotations.canary = values.bool("canary").unwrap_or(false);
    if !annotations.canary {
        return;
    }
    let number = |name| values.int(name).map_or(0, |number: i64| number.clamp(0, MOST) as u32);
    let (weight, total) = (number("canary-weight"), number("canary-weight-total").max(100));
    let header = values
        .text("canary-by-header")
        .map(|name| CanaryHeader { name: name.to_ascii_lowercase(), value: header_value(values) });
    let cookie = values.text("canary-by-cookie");
    annotations.canary_rules = Some(Arc::new(CanaryRules { header, cookie, weight, total }));
}

/// What decides beside the header's name. Of a value and a pattern only the value counts.
fn header_value(values: &mut Values<'_>) -> CanaryValue {
    if let Some(value) = values.text("canary-by-header-value") {
        return CanaryValue::Is(value);
    }
    let Some(pattern) = values.text(PATTERN) else { return CanaryValue::Words };
    if let Some(check) = values.subject.options.pattern_check
        && let Err(error) = (check.header)(&pattern)
    {
        let message = format!(
            "{PATTERN}: {pattern:?} is no usable regular expression: {error}; requests with the header go to the primary"
        );
        values.warn("InvalidPattern", message);
    }
    CanaryValue::Matches(pattern)
}
