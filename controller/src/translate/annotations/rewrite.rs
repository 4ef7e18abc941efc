//! `rewrite-target`, `use-regex`, `app-root`, `x-forwarded-prefix` (annotations §3.1, §3.2).

use super::{
    Annotations,
    check::{BOOL, CAPTURE, CAPTURE_SPACES},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{Low, Medium},
        Scope::{Host, LocationAndHost},
    },
    group::Group::{Headers, Rewrite, Routing},
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("app-root", CAPTURE, Fallback, Medium).scope(Host).documented(
        Rewrite,
        "none",
        "Path that `/` of the host is sent to, with 302.",
    ),
    Definition::new("rewrite-target", CAPTURE, Fallback, Medium).scope(LocationAndHost).documented(
        Rewrite,
        "the path as it came",
        "Path that the upstream sees. Turns paths of the whole host into regular expressions.",
    ),
    Definition::new("use-regex", BOOL, Fallback, Low).scope(Host).documented(
        Routing,
        "false",
        "Turns paths of the whole host into regular expressions.",
    ),
    Definition::new("x-forwarded-prefix", CAPTURE_SPACES, Refuse, Medium).documented(
        Headers,
        "none",
        "`X-Forwarded-Prefix` for the upstream, where the path is rewritten.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    annotations.use_regex = values.bool("use-regex").unwrap_or(false);
    annotations.rewrite_target = values.text("rewrite-target");
    annotations.forwarded_prefix = values.text("x-forwarded-prefix");
    annotations.app_root = values.text("app-root");
    if let Some(path) = annotations.app_root.take_if(|path| !path.starts_with('/')) {
        values.warn(
            "InvalidAnnotation",
            format!(
                "app-root {path:?} is no absolute path and has no effect; begin it with a slash"
            ),
        );
    }
}
