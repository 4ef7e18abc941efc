//! What the keys about logs mean together (configmap-and-flags §2.1, Logging).

use headgate_config::{LogTarget, MessageLevel, Syslog};

use super::{Draft, Report, value};

type Expected = &'static str;

/// Paths that are standard output: by the reference's default, and as systems name it.
const STDOUT: [&str; 4] =
    ["/var/log/nginx/access.log", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
/// Paths that are standard error.
const STDERR: [&str; 5] =
    ["/var/log/nginx/error.log", "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2", "stderr"];

/// Names of facilities, each at its number (RFC 3164 §4.1.1); those between are called differently everywhere.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv",
    "ftp", "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
/// Names of severities, each at its number.
const SEVERITIES: [&str; 8] =
    ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];

/// The keys while they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogKeys {
    /// `access-log-path`.
    path: Option<Place>,
    /// `http-access-log-path`.
    http: Option<Place>,
    /// `stream-access-log-path`.
    stream: Option<Place>,
    /// `error-log-path`.
    error: Option<LogTarget>,
    /// `error-log-level`.
    level: Option<MessageLevel>,
    /// `enable-syslog`.
    pub syslog: bool,
    host: String,
    port: Option<u16>,
    notes: Vec<String>,
}

/// Where a log is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Target(LogTarget),
    Nowhere,
}

impl LogKeys {
    /// `access-log-path`.
    pub fn set_path(&mut self, text: &str) -> Result<(), Expected> {
        self.path = place(text)?;
        Ok(())
    }

    /// `http-access-log-path`.
    pub fn set_http_path(&mut self, text: &str) -> Result<(), Expected> {
        self.http = place(text)?;
        Ok(())
    }

    /// `stream-access-log-path`.
    pub fn set_stream_path(&mut self, text: &str) -> Result<(), Expected> {
        self.stream = place(text)?;
        Ok(())
    }

    /// `error-log-path`.
    pub fn set_error_path(&mut self, text: &str) -> Result<(), Expected> {
        self.error = match place(text)? {
            None | Some(Place::Target(LogTarget::Stderr)) => None,
            Some(Place::Nowhere) => return Err("an absolute path or syslog:server=host:port"),
            Some(Place::Target(LogTarget::Stdout)) => {
                self.notes.push(format!(
                    "error-log-path: messages do not go to {text}, which belongs to the access log, but to standard error"
                ));
                None
            }
            Some(Place::Target(target)) => Some(target),
        };
        Ok(())
    }

    /// `error-log-level`.
    pub fn set_level(&mut self, text: &str) -> Result<(), Expected> {
        self.level = Some(match text.trim() {
            "debug" => MessageLevel::Debug,
            "info" | "notice" => MessageLevel::Info,
            "warn" => MessageLevel::Warn,
            "error" | "crit" | "alert" | "emerg" => MessageLevel::Error,
            _ => return Err("debug, info, notice, warn, error, crit, alert or emerg"),
        });
        Ok(())
    }

    /// `access-log-params`: lines are gathered for half a second, 32 KiB at most, whatever it says.
    pub fn set_params(&mut self, text: &str) -> Result<(), Expected> {
        for word in text.split_whitespace() {
            let (name, _) = word.split_once('=').unwrap_or((word, ""));
            let why = match name {
                "buffer" | "flush" => continue,
                "gzip" => "files are written as text",
                "if" => "whole targets are left out with skip-access-log-urls",
                _ => return Err("made of buffer=, flush=, gzip= and if="),
            };
            self.notes.push(format!("access-log-params: {word:?} has no effect: {why}"));
        }
        Ok(())
    }

    /// `syslog-host`.
    pub fn set_syslog_host(&mut self, text: &str) -> Result<(), Expected> {
        let host = text.trim();
        if !host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b)) {
            return Err("a name or an address");
        }
        host.clone_into(&mut self.host);
        Ok(())
    }

    /// `syslog-port`.
    pub fn set_syslog_port(&mut self, text: &str) -> Result<(), Expected> {
        self.port = Some(port(value::count(text)?)?);
        Ok(())
    }

    fn receiver(&mut self) -> Option<LogTarget> {
        if !self.syslog {
            return None;
        }
        if self.host.is_empty() {
            self.notes.push(
                "enable-syslog: nobody is named by syslog-host: logs go where they go without it; name the receiver there"
                    .into(),
            );
            return None;
        }
        Some(LogTarget::Syslog(Syslog::new(self.host.as_str(), self.port.unwrap_or(514))))
    }
}

impl Draft {
    /// Puts together what the keys say.
    pub(super) fn judge_logs(&mut self, report: &Report) {
        let mut keys = std::mem::take(&mut self.logs);
        let settings = &mut self.settings;
        let receiver = keys.receiver();
        let http = receiver.clone().map(Place::Target).or(keys.http).or(keys.path.clone());
        match http {
            Some(Place::Target(target)) => settings.log.target = target,
            Some(Place::Nowhere) => settings.access_log = false,
            None => {}
        }
        match keys.stream.or(keys.path) {
            Some(Place::Target(target)) => settings.stream.log_target = target,
            Some(Place::Nowhere) => settings.stream.access_log = false,
            None => {}
        }
        settings.messages.target = receiver.or(keys.error);
        settings.messages.level = keys.level;
        let targets = [&settings.log.target, &settings.stream.log_target];
        let is_file = |target: &&LogTarget| matches!(target, LogTarget::File(_));
        let has_file = targets.into_iter().chain(&settings.messages.target).any(|it| is_file(&it));
        let has_format = settings.log_format.is_some() || settings.stream.log_format.is_some();
        if has_file || has_format {
            settings.log.origin = Some(report.object.clone());
        }
        self.notes.append(&mut keys.notes);
    }
}

/// Where a text leads; nowhere in particular if it is empty.
fn place(text: &str) -> Result<Option<Place>, Expected> {
    const EXPECTED: Expected =
        "an absolute path without variables, syslog:server=host:port, or off";
    let text = text.trim();
    let target = match text {
        "" => return Ok(None),
        "off" => return Ok(Some(Place::Nowhere)),
        _ if STDOUT.contains(&text) => LogTarget::Stdout,
        _ if STDERR.contains(&text) => LogTarget::Stderr,
        _ => match text.strip_prefix("syslog:") {
            Some(words) => LogTarget::Syslog(syslog(words)?),
            None if text.starts_with('/')
                && !text.contains(|c: char| c == '$' || c.is_control()) =>
            {
                LogTarget::File(text.to_owned())
            }
            None => return Err(EXPECTED),
        },
    };
    Ok(Some(Place::Target(target)))
}

/// A receiver as nginx has it behind `syslog:`.
fn syslog(words: &str) -> Result<Syslog, Expected> {
    let mut receiver = Syslog::new("", 514);
    for word in words.split(',') {
        let (name, text) = word.split_once('=').unwrap_or((word, ""));
        let number = |names: &[&str]| {
            let number = names.iter().position(|name| *name == text);
            number.and_then(|number| u8::try_from(number).ok())
        };
        match name {
            "server" => (receiver.host, receiver.port) = server(text)?,
            "facility" => receiver.facility = number(&FACILITIES).ok_or("a facility of syslog")?,
            "severity" => receiver.severity = number(&SEVERITIES).ok_or("a severity of syslog")?,
            "tag" => receiver.tag = tag(text)?,
            "nohostname" => receiver.hostname = false,
            _ => return Err("made of server=, facility=, severity=, tag= and nohostname"),
        }
    }
    if receiver.host.is_empty() { Err("a receiver: syslog:server=host:port") } else { Ok(receiver) }
}

fn server(text: &str) -> Result<(String, u16), Expected> {
    const EXPECTED: Expected = "a receiver: syslog:server=host:port";
    // An IPv6 address has colons of its own.
    let (host, number) = match text.rsplit_once(':') {
        Some((host, number)) if !host.contains(':') || host.ends_with(']') => (host, Some(number)),
        _ => (text, None),
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
    if host.is_empty() || host == "unix" || !host.bytes().all(is_name) {
        return Err(EXPECTED);
    }
    let port = number.map_or(Ok(514), |number| number.parse().map_err(|_| EXPECTED).and_then(port));
    Ok((host.to_owned(), port?))
}

fn port(number: u64) -> Result<u16, Expected> {
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or("a port")
}

fn tag(text: &str) -> Result<String, Expected> {
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let fits = (1..=32).contains(&text.len());
    if is_plain && fits { Ok(text.to_owned()) } else { Err("a tag of letters, digits and _") }
}

#[cfg(test)]
mod tests;
