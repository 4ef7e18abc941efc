//! Where a message is written: the data plane's where the ConfigMap says, all others to standard error.

use std::{
    io::{self, Write},
    sync::{Arc, RwLock},
};

use headgate_config::log_target::REQUESTS;
use headgate_gateway::observe::access_log::{Destination, MessageLog};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::DATA_PLANE;

/// Where messages of the data plane go, if not to standard error.
static ROUTE: RwLock<Option<Route>> = RwLock::new(None);

/// The way to a destination.
#[derive(Clone)]
pub struct Route {
    /// The destination.
    pub to: Arc<Destination>,
    /// Who writes there.
    pub log: MessageLog,
}

/// Says where messages of the data plane go.
pub fn set_route(route: Option<Route>) {
    *ROUTE.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = route;
}

/// Opens a line for each message.
pub struct Output;

/// A message while it is written.
pub struct Line {
    route: Option<(Route, u8)>,
    text: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { route: None, text: Vec::new() }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        let route = || ROUTE.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let route = if is_routed(metadata.target()) { route() } else { None };
        Line { route: route.map(|route| (route, severity(*metadata.level()))), text: Vec::new() }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.route {
            None => io::stderr().write(bytes),
            Some(_) => self.text.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some((Route { to, log }, severity)) = self.route.take() {
            log.write(&to, severity, std::mem::take(&mut self.text));
        }
    }
}

/// Whether a message is the data plane's. What is wrong with a log is not told to that log.
fn is_routed(target: &str) -> bool {
    let is_own = target.starts_with(DATA_PLANE) || target == REQUESTS;
    is_own && !target.contains("access_log")
}

/// A level as syslog counts (RFC 5424 §6.2.1).
fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_the_data_plane_go_elsewhere_but_not_those_about_logs() {
        assert!(is_routed("headgate_gateway::proxy::send"));
        assert!(!is_routed("headgate_controller::run"));
        assert!(!is_routed("headgate_gateway::observe::access_log::syslog"));
    }
}
