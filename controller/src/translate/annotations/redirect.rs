//! Redirects to HTTPS, and the form of redirects (annotations §3.3).

use super::{
    Annotations,
    check::BOOL,
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{Low, Medium},
    },
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("force-ssl-redirect", BOOL, Fallback, Medium),
    Definition::new("preserve-trailing-slash", BOOL, Fallback, Medium),
    Definition::new("relative-redirects", BOOL, Refuse, Low),
    Definition::new("ssl-redirect", BOOL, Fallback, Low),
    Definition::new("use-port-in-redirects", BOOL, Fallback, Low),
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
