//! Redirects: to HTTPS, to one place, to the host with or without `www.`, and their form (annotations §3.3).

use std::sync::Arc;

use headgate_config::FixedRedirect;

use super::{
    Annotations,
    check::{BOOL, INT, URL},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Needs::Absent,
        Risk::{Low, Medium},
        Scope::Host,
    },
    external_auth::text::check_variables,
    group::Group::Redirect,
    refusal::without_credentials,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("force-ssl-redirect", BOOL, Fallback, Medium).documented(
        Redirect,
        "ConfigMap: `force-ssl-redirect`, false",
        "HTTP is sent to HTTPS also where the host has no certificate of its own.",
    ),
    Definition::new("from-to-www-redirect", BOOL, Refuse, Low).scope(Host).documented(
        Redirect,
        "false",
        "Leads from `www.` to the host, or from the host to `www.`, where that name has no rules of its own.",
    ),
    Definition::new("permanent-redirect", URL, Refuse, Medium)
        .needs(Absent("temporal-redirect"))
        .documented(Redirect, "none", "URL or path that all requests are sent to, for good."),
    Definition::new("permanent-redirect-code", INT, Refuse, Low)
        .needs(Absent("temporal-redirect"))
        .documented(Redirect, "301", "Its status, 300 to 308."),
    Definition::new("preserve-trailing-slash", BOOL, Fallback, Medium).documented(
        Redirect,
        "ConfigMap: `preserve-trailing-slash`, false",
        "Redirects to HTTPS keep a slash at the end.",
    ),
    Definition::new("relative-redirects", BOOL, Refuse, Low).documented(
        Redirect,
        "ConfigMap: `relative-redirects`, false",
        "Redirects to a path name no host. `false` does not undo the ConfigMap's `true`.",
    ),
    Definition::new("ssl-redirect", BOOL, Fallback, Low).documented(
        Redirect,
        "ConfigMap: `ssl-redirect`, true",
        "HTTP is sent to HTTPS where the host has a certificate.",
    ),
    Definition::new("temporal-redirect", URL, Refuse, Medium).documented(
        Redirect,
        "none",
        "URL that all requests are sent to, for now. Goes before `permanent-redirect`.",
    ),
    Definition::new("temporal-redirect-code", INT, Refuse, Low).documented(
        Redirect,
        "302",
        "Its status, 300 to 307.",
    ),
    Definition::new("use-port-in-redirects", BOOL, Fallback, Low).documented(
        Redirect,
        "ConfigMap: `use-port-in-redirects`, false",
        "Redirects name the port.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let set = |name, field: &mut bool| *field = values.bool(name).unwrap_or(*field);
    set("ssl-redirect", &mut annotations.ssl_redirect);
    set("force-ssl-redirect", &mut annotations.force_ssl_redirect);
    set("preserve-trailing-slash", &mut annotations.redirect.keep_trailing_slash);
    set("use-port-in-redirects", &mut annotations.redirect.with_port);
    for (name, last, default) in
        [("permanent-redirect-code", 308, 301), ("temporal-redirect-code", 307, 302)]
    {
        if let Some(code) = values.int(name).filter(|code| !(300..=last).contains(code)) {
            let message = format!(
                "{name}: {code} is no status from 300 to {last}; the default applies: {default}"
            );
            values.warn("InvalidAnnotation", message);
        }
    }
    match Group::read(values) {
        Ok(group) => {
            // Where the ConfigMap has it on, it cannot be switched off.
            annotations.redirect.relative |= group.relative;
            annotations.www_redirect = group.www;
            annotations.fixed_redirect = group.fixed.map(Arc::new);
        }
        Err(problem) => values.warn("InvalidAnnotation", format!("{problem}; {SKIPPED}")),
    }
}

const SKIPPED: &str = "none of permanent-redirect, temporal-redirect, from-to-www-redirect and relative-redirects \
    has an effect on this Ingress";

/// What holds as a whole or not at all (annotations §1.4, outcome S).
struct Group {
    www: bool,
    relative: bool,
    fixed: Option<FixedRedirect>,
}

impl Group {
    /// Reads it; the error says what keeps it from having any effect.
    fn read(values: &Values<'_>) -> Result<Self, String> {
        let www = of(values, "from-to-www-redirect", Values::bool)?.unwrap_or(false);
        let relative = of(values, "relative-redirects", Values::bool)?.unwrap_or(false);
        let temporal = of(values, "temporal-redirect", Values::text)?;
        let code = of(values, "temporal-redirect-code", Values::int)?;
        let fixed = if let Some(target) = temporal {
            if !has_web_scheme(&target) {
                let target = without_credentials(&target);
                return Err(format!(
                    "temporal-redirect: {target:?} is no URL that begins with http:// or https://; give one"
                ));
            }
            Some(fixed("temporal-redirect", target, status(code, 300..=307, 302))?)
        } else {
            let permanent = of(values, "permanent-redirect", Values::text)?;
            let code = of(values, "permanent-redirect-code", Values::int)?;
            permanent
                .map(|target| fixed("permanent-redirect", target, status(code, 300..=308, 301)))
                .transpose()?
        };
        Ok(Self { www, relative, fixed })
    }
}

/// A value, if its annotation is there; it has to say something then.
fn of<'a, T>(
    values: &Values<'a>,
    name: &str,
    read: impl Fn(&Values<'a>, &str) -> Option<T>,
) -> Result<Option<T>, String> {
    match read(values, name) {
        None if values.is_present(name) => {
            Err(format!("{name} has no value that can be read; correct or remove it"))
        }
        value => Ok(value),
    }
}

/// A status; those that are out of range are as none.
fn status(code: Option<i64>, range: std::ops::RangeInclusive<u16>, default: u16) -> u16 {
    let code = code.and_then(|code| u16::try_from(code).ok());
    code.filter(|code| range.contains(code)).unwrap_or(default)
}

/// Whether the scheme of a URL begins with `http`: the reference asks for no more.
fn has_web_scheme(url: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.to_ascii_lowercase().starts_with("http") && scheme.chars().all(is_part)
    })
}

/// The redirect, if its target can be sent. Only without validation it may be anything else, or have variables.
fn fixed(name: &str, target: String, status: u16) -> Result<FixedRedirect, String> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{name} has characters that no URL has; write them with %, as %20"));
    }
    check_variables(&target).map_err(|reason| format!("{name}: {reason}"))?;
    Ok(FixedRedirect { target, status })
}
