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
/// The least that a weight is a share of.
const LEAST_TOTAL: u32 = 100;

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
    let (weight, total) = shares(values);
    let header = values
        .text("canary-by-header")
        .map(|name| CanaryHeader { name: name.to_ascii_lowercase(), value: header_value(values) });
    let cookie = values.text("canary-by-cookie");
    if header.is_none() {
        for name in ["canary-by-header-value", PATTERN] {
            if values.raw(name).is_some() {
                let message =
                    format!("{name} has no effect without canary-by-header; name the header there");
                values.warn("NoEffect", message);
            }
        }
        if cookie.is_none() && !values.is_present("canary-weight") {
            let message = "canary: none of canary-weight, canary-by-header and canary-by-cookie is set, so that the canary gets no requests; set one of them";
            values.warn("CanaryNotUsed", message.into());
        }
    }
    annotations.canary_rules = Some(Arc::new(CanaryRules { header, cookie, weight, total }));
}

/// `canary-weight`, and what it is a share of.
fn shares(values: &mut Values<'_>) -> (u32, u32) {
    let written = |name| values.int(name);
    let (weight, total) = (written("canary-weight"), written("canary-weight-total"));
    let number = |number: Option<i64>| number.map_or(0, |number: i64| number.clamp(0, MOST) as u32);
    let (share, of) = (number(weight), number(total).max(LEAST_TOTAL));
    if let Some(total) = total.filter(|total| *total < LEAST_TOTAL.into()) {
        values.warn(
            "InvalidAnnotation",
            format!("canary-weight-total: {total} is less than {LEAST_TOTAL}, which counts instead; give at least {LEAST_TOTAL}"),
        );
    }
    if let Some(weight) = weight.filter(|weight| *weight < 0) {
        values.warn(
            "InvalidAnnotation",
            format!("canary-weight: {weight} is negative and counts as 0; give 0 to {of}"),
        );
    }
    if share > of {
        values.warn(
            "InvalidAnnotation",
            format!("canary-weight: {share} is more than canary-weight-total, {of}: all requests that no header or cookie decides about go to the canary; give 0 to {of}"),
        );
    }
    (share, of)
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
            "{PATTERN}: {pattern:?} is no usable regular expression: {error}; requests with the header go to the primary: correct it"
        );
        values.warn("InvalidPattern", message);
    }
    CanaryValue::Matches(pattern)
}
