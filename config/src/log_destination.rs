//! Where lines of logs go.

use serde::Serialize;

/// Where lines of a log go (configmap-and-flags §2.1, Logging).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LogTarget {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// The file of this absolute path, which lines are appended to.
    File(String),
    /// A receiver of datagrams.
    Syslog(Syslog),
}

/// A receiver of datagrams as RFC 3164 has them: one for each line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Syslog {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Number of the facility, below 24.
    pub facility: u8,
    /// Severity of lines of access logs, below 8.
    pub severity: u8,
    /// What lines are said to come from: letters, digits and `_`, 32 at most.
    pub tag: String,
    /// Whether the name of this machine is sent, too.
    pub hostname: bool,
}

impl Syslog {
    /// A receiver as the reference writes to it by default: facility `local7`, severity `info`, tag `nginx`.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            facility: 23,
            severity: 6,
            tag: "nginx".into(),
            hostname: true,
        }
    }
}

/// What the data plane tells about its work, and where: the reference's error log. What is not said is up to the command
/// line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// The least grave that are written (`error-log-level`).
    pub level: Option<MessageLevel>,
    /// Where they go; [`None`] is standard error (`error-log-path`, `enable-syslog`).
    pub target: Option<LogTarget>,
}

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageLevel {
    /// `debug`.
    Debug,
    /// `info` and `notice`.
    Info,
    /// `warn`.
    Warn,
    /// `error` and all that is graver.
    Error,
}
