//! Redirects to HTTPS, and the form of redirects (annotations §3.3).

use super::{
    Annotations,
    check::BOOL,
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{Low, Medium},
    },
    group::Group::Redirect,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("force-ssl-redirect", BOOL, Fallback, Medium).documented(
        Redirect,
        "ConfigMap: `force-ssl-redirect`, false",
        "HTTP is sent to HTTPS also where the host has no certificate of its own.",
    ),
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
    // The only one that cannot be switched off where the ConfigMap has it on.
    annotations.redirect.relative |= values.bool("relative-redirects").unwrap_or(false);
}
