//! Where logs go (configmap-and-flags §2.1, Logging). What the keys mean together is in [`super::super::logs`].

use super::{Apply, set, value};

pub(super) const KEYS: &[(&str, Apply)] = &[
    ("access-log-params", |draft, text| draft.logs.set_params(text)),
    ("access-log-path", |draft, text| draft.logs.set_path(text)),
    ("enable-auth-access-log", |draft, text| {
        set(&mut draft.settings.log.questions, value::bool(text))
    }),
    ("enable-syslog", |draft, text| set(&mut draft.logs.syslog, value::bool(text))),
    ("error-log-level", |draft, text| draft.logs.set_level(text)),
    ("error-log-path", |draft, text| draft.logs.set_error_path(text)),
    ("http-access-log-path", |draft, text| draft.logs.set_http_path(text)),
    ("stream-access-log-path", |draft, text| draft.logs.set_stream_path(text)),
    ("syslog-host", |draft, text| draft.logs.set_syslog_host(text)),
    ("syslog-port", |draft, text| draft.logs.set_syslog_port(text)),
];
