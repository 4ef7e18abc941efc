//! What the access log says, and what it leaves out.

use serde::Serialize;

use crate::{LogTarget, ObjectRef};

/// How values are written to the access log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LogEscape {
    /// `"`, `\` and everything but printable ASCII as `\xHH`; a missing value is `-`.
    #[default]
    Default,
    /// As inside a JSON string; a missing value is empty (`log-format-escape-json`).
    Json,
    /// Not at all; a missing value is empty (`log-format-escape-none`).
    None,
}

/// Rules of the access log (configmap-and-flags §10). The defaults are the reference's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccessLogRules {
    /// How values are written.
    pub escape: LogEscape,
    /// Targets of requests that are not logged (`skip-access-log-urls`): a whole target, compared without regard to case;
    /// behind `~` a PCRE, and behind `~*` one that does not regard case. What is no usable pattern skips nothing.
    pub skipped: Vec<String>,
    /// Where lines go (`access-log-path`, `http-access-log-path`, `enable-syslog`).
    pub target: LogTarget,
    /// Questions to services that are asked whether a request may pass have lines of their own (`enable-auth-access-log`).
    pub questions: bool,
    /// The object that says where lines go, for findings about it.
    pub origin: Option<ObjectRef>,
}
