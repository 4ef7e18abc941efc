//! Where and how sessions of TCP and UDP are logged (`stream-access-log-path`, `log-format-stream`).

use std::{fs::OpenOptions, sync::Arc};

use headgate_config::StreamSettings;

use crate::observe::access_log::{AccessLog, StreamFormat};

/// What stands for the log of requests: it is the reference's default, which is standard output there.
const USUAL: [&str; 2] = ["/var/log/nginx/access.log", "/dev/stdout"];

/// The log of streams.
pub(crate) struct StreamLog {
    /// The form of its lines.
    pub format: StreamFormat,
    /// Its file, if it does not go to the log of requests.
    pub file: Option<Arc<LogFile>>,
}

/// A file that lines are appended to.
pub(crate) struct LogFile {
    path: String,
    /// The way to it.
    pub log: AccessLog,
}

impl StreamLog {
    /// What the settings say. The file stays open if it is the same as `before`.
    pub(super) fn new(spec: &StreamSettings, before: Option<&Self>) -> Self {
        let path = spec.log_path.as_deref().filter(|path| !USUAL.contains(path));
        let file = path.filter(|_| spec.access_log).and_then(|path| {
            let known = before.and_then(|before| before.file.as_ref());
            match known.filter(|file| file.path == path) {
                Some(file) => Some(Arc::clone(file)),
                None => open(path),
            }
        });
        Self { format: format(spec), file }
    }
}

fn open(path: &str) -> Option<Arc<LogFile>> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    match file.and_then(AccessLog::start) {
        Ok(log) => Some(Arc::new(LogFile { path: path.to_owned(), log })),
        Err(error) => {
            tracing::warn!(
                path, %error,
                "stream-access-log-path cannot be opened: lines go to the log of requests"
            );
            None
        }
    }
}

/// The default where the configured one is wrong.
fn format(spec: &StreamSettings) -> StreamFormat {
    let Some(text) = &spec.log_format else { return StreamFormat::default() };
    StreamFormat::compile(text).unwrap_or_else(|error| {
        tracing::warn!(%error, "log-format-stream is not usable: the default format is written");
        StreamFormat::default()
    })
}
