//! Annotations that only tune the reference's own workings: checked, and without effect (annotations §3.25).

use super::{
    Annotations,
    check::{ANY, BOOL, SIZE},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::Low,
    },
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("auth-keepalive", ANY, Fallback, Low),
    Definition::new("auth-keepalive-requests", ANY, Fallback, Low),
    Definition::new("auth-keepalive-share-vars", ANY, Fallback, Low),
    Definition::new("auth-keepalive-timeout", ANY, Fallback, Low),
    Definition::new("client-body-buffer-size", SIZE, Refuse, Low),
    Definition::new("enable-rewrite-log", ANY, Fallback, Low),
    Definition::new("http2-push-preload", BOOL, Refuse, Low),
    Definition::new("proxy-buffers-number", ANY, Fallback, Low),
    Definition::new("proxy-busy-buffers-size", ANY, Fallback, Low),
    Definition::new("proxy-max-temp-file-size", ANY, Fallback, Low),
];

pub fn read(_: &mut Values<'_>, _: &mut Annotations) {}
