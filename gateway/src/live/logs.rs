//! Where requests and sessions are logged (`access-log-path` and what belongs to it), and the form of sessions' lines
//! (`log-format-stream`).

use std::sync::Arc;

use headgate_config::{LogTarget, Settings, StreamSettings};

use crate::observe::access_log::{Destination, StreamFormat};

/// The logs.
pub(crate) struct Logs {
    /// Where requests are logged; `None` is standard output.
    pub requests: Option<Arc<Destination>>,
    /// Where sessions of TCP and UDP are.
    pub streams: Option<Arc<Destination>>,
    /// Where the data plane's own messages go; `None` is standard error.
    pub messages: Option<Arc<Destination>>,
    /// The form of their lines.
    pub stream_format: StreamFormat,
    /// What could not be opened: its lines go to standard output.
    pub problems: Vec<String>,
    /// What is wrong with formats: the default is written in their place.
    pub bad_formats: Vec<String>,
}

impl Logs {
    /// What the settings say. What is open `before` stays open.
    pub(super) fn new(spec: &Settings, before: Option<&Self>) -> Self {
        let mut problems = Vec::new();
        let known =
            |log: fn(&Self) -> &Option<Arc<Destination>>| before.and_then(|it| log(it).as_ref());
        let (requests, streams) = (known(|it| &it.requests), known(|it| &it.streams));
        let messages = spec.messages.target.as_ref();
        let messages =
            messages.and_then(|target| open(target, known(|it| &it.messages), &mut problems));
        let log = &spec.log.target;
        let requests = if spec.access_log { open(log, requests, &mut problems) } else { None };
        // They have one in common where they can, so that lines keep their order.
        let streams = match &spec.stream.log_target {
            _ if !spec.stream.access_log => None,
            target if target == log && requests.is_some() => requests.clone(),
            target => open(target, streams, &mut problems),
        };
        let mut bad_formats = Vec::new();
        let stream_format = stream_format(&spec.stream, &mut bad_formats);
        Self { requests, streams, messages, stream_format, problems, bad_formats }
    }
}

fn open(
    target: &LogTarget,
    before: Option<&Arc<Destination>>,
    problems: &mut Vec<String>,
) -> Option<Arc<Destination>> {
    Destination::open(target, before).unwrap_or_else(|error| {
        if let LogTarget::File(path) = target {
            problems.push(format!("{path:?} cannot be opened as a log: {error}"));
        }
        None
    })
}

/// The default where the configured one is wrong.
fn stream_format(spec: &StreamSettings, problems: &mut Vec<String>) -> StreamFormat {
    let Some(text) = &spec.log_format else { return StreamFormat::default() };
    StreamFormat::compile(text).unwrap_or_else(|error| {
        problems.push(format!("log-format-stream: {error}"));
        StreamFormat::default()
    })
}
