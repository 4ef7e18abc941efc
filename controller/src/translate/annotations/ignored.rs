//! Annotations that only tune the reference's own workings: checked, and without effect (annotations §3.25).

use super::{
    Annotations,
    check::{BOOL, Check, INT, SIZE},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Needs::Present,
        Risk::Low,
    },
    group::Group::{Auth, Buffering, Observability, Protocol},
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    keep_alive(
        "auth-keepalive",
        INT,
        "0",
        "Connections that are kept to the service of `auth-url`.",
    ),
    keep_alive("auth-keepalive-requests", INT, "1000", "Questions for each of them."),
    keep_alive("auth-keepalive-share-vars", BOOL, "false", "Shares variables with questions."),
    keep_alive("auth-keepalive-timeout", INT, "60", "Seconds for which they are kept."),
    Definition::new("client-body-buffer-size", SIZE, Refuse, Low).documented(
        Buffering,
        "8k",
        "Memory for the body of a request.",
    ),
    Definition::new("enable-rewrite-log", BOOL, Fallback, Low).documented(
        Observability,
        "false",
        "Writes to the log how paths are rewritten.",
    ),
    Definition::new("http2-push-preload", BOOL, Refuse, Low).documented(
        Protocol,
        "false",
        "Pushes what `Link` headers name; HTTP/2 has lost that.",
    ),
    Definition::new("proxy-buffers-number", INT, Fallback, Low).documented(
        Buffering,
        "4",
        "Buffers for an answer.",
    ),
    Definition::new("proxy-busy-buffers-size", SIZE, Fallback, Low).documented(
        Buffering,
        "unset",
        "How much of them may be on its way to the client.",
    ),
    Definition::new("proxy-max-temp-file-size", SIZE, Fallback, Low).documented(
        Buffering,
        "1024m",
        "How much of an answer may be put on disk.",
    ),
];

const fn keep_alive(
    name: &'static str,
    check: Check,
    default: &'static str,
    does: &'static str,
) -> Definition {
    Definition::new(name, check, Fallback, Low)
        .needs(Present("auth-url"))
        .documented(Auth, default, does)
}

pub fn read(_: &mut Values<'_>, _: &mut Annotations) {}
