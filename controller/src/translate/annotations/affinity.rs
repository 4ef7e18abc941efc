//! Clients that come back to the same endpoint (annotations §3.12).
//!
//! What several Ingresses say about one upstream is put together in `upstreams`.

use std::sync::Arc;

use headgate_config::balance::{AffinityCookie, AffinityMode, SameSite};

use super::{
    Annotations,
    check::{BASIC, BOOL, Check, Kind, URL_SPACES},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{Low, Medium},
        Scope::Service,
    },
    group::Group::Affinity,
    values::Values,
};

const COOKIE_NAME: &str = "INGRESSCOOKIE";

/// What one Ingress says about affinity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AffinityWish {
    /// `affinity-mode`.
    pub mode: Option<AffinityMode>,
    /// The cookie, if it wants affinity at all.
    pub cookie: Option<AffinityCookie>,
    /// `affinity-canary-behavior: legacy`.
    pub legacy_canary: bool,
}

const TYPE: Check = Check::choice(|value| matches!(value.trim(), "cookie"), "cookie");
const BEHAVIOR: Check =
    Check::choice(|value| matches!(value.trim(), "sticky" | "legacy"), "sticky or legacy");
const MODE: Check = Check::choice(
    |value| matches!(value.trim(), "balanced" | "persistent"),
    "balanced or persistent",
);
const SAME_SITE: Check = Check::choice(
    |value| {
        let word = value.trim();
        ["none", "lax", "strict"].iter().any(|known| word.eq_ignore_ascii_case(known))
    },
    "None, Lax or Strict",
);
/// A number of seconds, as loosely as the reference takes it.
const SECONDS: Check =
    Check { kind: Kind::Number, ..Check::new(is_seconds, "a number of seconds") };

pub const ANNOTATIONS: &[Definition] =
    &[
        Definition::new("affinity", TYPE, Fallback, Low).scope(Service).documented(
            Affinity,
            "none",
            "`cookie`: a client stays with the endpoint that its cookie names.",
        ),
        Definition::new("affinity-canary-behavior", BEHAVIOR, Fallback, Low)
            .scope(Service)
            .documented(
                Affinity,
                "sticky",
                "`legacy`: only the primary's cookie binds clients, the canary sets none. Read from the canary.",
            ),
        Definition::new("affinity-mode", MODE, Fallback, Medium).scope(Service).documented(
            Affinity,
            "balanced",
            "`persistent`: a client stays where it is when endpoints are added.",
        ),
        Definition::new("session-cookie-change-on-failure", BOOL, Fallback, Low)
            .scope(Service)
            .documented(Affinity, "false", "A client whose endpoint fails gets another cookie."),
        Definition::new("session-cookie-conditional-samesite-none", BOOL, Fallback, Low)
            .scope(Service)
            .documented(
                Affinity,
                "false",
                "Leaves `SameSite=None` out for browsers that misread it.",
            ),
        Definition::new("session-cookie-domain", BASIC, Fallback, Medium)
            .scope(Service)
            .documented(Affinity, "unset", "`Domain` of the cookie."),
        Definition::new("session-cookie-expires", SECONDS, Fallback, Medium)
            .scope(Service)
            .documented(Affinity, "unset", "Seconds to the cookie's `Expires`."),
        Definition::new("session-cookie-max-age", SECONDS, Fallback, Medium)
            .scope(Service)
            .documented(Affinity, "unset", "`Max-Age` of the cookie."),
        Definition::new("session-cookie-name", BASIC, Fallback, Medium).scope(Service).documented(
            Affinity,
            "INGRESSCOOKIE",
            "Name of the cookie.",
        ),
        Definition::new("session-cookie-path", URL_SPACES, Fallback, Medium)
            .scope(Service)
            .documented(Affinity, "the path of the location", "`Path` of the cookie."),
        Definition::new("session-cookie-samesite", SAME_SITE, Fallback, Low)
            .scope(Service)
            .documented(Affinity, "unset", "`SameSite` of the cookie."),
        Definition::new("session-cookie-secure", BOOL, Fallback, Low).scope(Service).documented(
            Affinity,
            "false",
            "`Secure` also over HTTP; over HTTPS it is always there.",
        ),
    ];

fn is_seconds(value: &str) -> bool {
    let value = value.replace(' ', "");
    let before = value.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &value[before.len()..];
    value.starts_with('0') || digits.contains(|c| c != '0')
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let mode = values.text("affinity-mode").map(|mode| match &*mode {
        "persistent" => AffinityMode::Persistent,
        _ => AffinityMode::Balanced,
    });
    let legacy_canary = values.text("affinity-canary-behavior").as_deref() == Some("legacy");
    let is_wanted = values.text("affinity").as_deref() == Some("cookie");
    let wish = AffinityWish { mode, cookie: is_wanted.then(|| cookie(values)), legacy_canary };
    annotations.affinity = (wish != AffinityWish::default()).then(|| Arc::new(wish));
}

fn cookie(values: &mut Values<'_>) -> AffinityCookie {
    let path = values.text("session-cookie-path");
    if path.is_none() && values.bool("use-regex") == Some(true) {
        values.warn(
            "InvalidAnnotation",
            "session-cookie-path should be set where use-regex is true: the cookie's path is the regular expression, which no browser sends it to".into(),
        );
    }
    let flag = |name| values.bool(name).unwrap_or(false);
    let (secure, change_on_failure) =
        (flag("session-cookie-secure"), flag("session-cookie-change-on-failure"));
    let conditional_same_site = flag("session-cookie-conditional-samesite-none");
    let same_site = same_site(values);
    AffinityCookie {
        name: part(values, "session-cookie-name").unwrap_or_else(|| COOKIE_NAME.into()),
        expires: seconds(values, "session-cookie-expires"),
        max_age: seconds(values, "session-cookie-max-age"),
        domain: part(values, "session-cookie-domain"),
        path,
        secure,
        same_site,
        conditional_same_site,
        change_on_failure,
    }
}

/// Only three of the spellings that pass the check have an effect.
fn same_site(values: &mut Values<'_>) -> Option<SameSite> {
    let word = values.text("session-cookie-samesite")?;
    let found = match word.as_str() {
        "None" => Some(SameSite::None),
        "Lax" => Some(SameSite::Lax),
        "Strict" => Some(SameSite::Strict),
        _ => None,
    };
    if found.is_none() {
        let message = format!(
            "session-cookie-samesite: {word:?} has no effect, as in ingress-nginx; write None, Lax or Strict"
        );
        values.warn("InvalidAnnotation", message);
    }
    found
}

/// A text that ends nothing it stands in. Others only get here without validation.
fn part(values: &mut Values<'_>, name: &'static str) -> Option<String> {
    let text = values.text(name)?;
    if text.contains(|c: char| c.is_control() || matches!(c, ';' | ',' | '=' | '"')) {
        let message = format!(
            "{name}: {text:?} cannot be part of a cookie and has no effect; leave out quotation marks and ; , ="
        );
        values.warn("InvalidAnnotation", message);
        return None;
    }
    Some(text)
}

/// Seconds, as far as the text is a number: the check is as loose as the reference's.
fn seconds(values: &mut Values<'_>, name: &'static str) -> Option<i64> {
    let text = values.text(name)?;
    let number = text.replace(' ', "").parse().ok();
    if number.is_none() {
        let message = format!(
            "{name}: {text:?} is not a number of seconds and has no effect; give a whole number"
        );
        values.warn("InvalidAnnotation", message);
    }
    number
}
