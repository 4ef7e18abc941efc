//! Clients that come back to the same endpoint (annotations §3.11).

use crate::translate::annotations::{
    check::{BASIC, BOOL, Check, Kind, URL_SPACES},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{Low, Medium},
        Scope::Service,
    },
    group::Group::Affinity,
};

const COOKIE: Check = Check::choice(|value| matches!(value.trim(), "cookie"), "cookie");
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
        Definition::new("affinity", COOKIE, Fallback, Low).scope(Service).documented(
            Affinity,
            "none",
            "`cookie`: a client stays with the endpoint that its cookie names.",
        ),
        Definition::new("affinity-canary-behavior", BEHAVIOR, Fallback, Low)
            .scope(Service)
            .documented(
                Affinity,
                "sticky",
                "`legacy`: the canary's own rules come before the cookie. Read from the canary.",
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
