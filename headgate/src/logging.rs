//! Messages of the program go to standard error; standard output belongs to the access log. Those of the data plane are
//! what the reference has an error log for: the ConfigMap may say where they go, and how many there are.

mod output;

use std::{
    io::{self, IsTerminal},
    sync::{Arc, OnceLock},
};

use headgate_config::{MessageLevel, Messages};
use headgate_gateway::observe::access_log::{Destination, MessageLog};
use tracing_subscriber::{
    EnvFilter, Registry, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use self::output::{Output, Route};

/// The filter that is in force, and what it was made from, unless the environment has said it.
static FILTER: OnceLock<(reload::Handle<EnvFilter, Registry>, Option<String>)> = OnceLock::new();

/// Messages of a gateway: everything of at least `level`. What the client of the API server has to say of each failed
/// request is said once, and better, by whoever made the request; so is what the watch has to say of a folder.
pub fn start(level: &str) {
    start_with(&format!("{level},kube_client=off,kube_runtime=off,notify=error,tower=off"));
}

/// Messages of the demo: the application's services only speak up when something is wrong.
pub fn start_demo() {
    start_with("info,backends=warn,notify=error");
}

/// Starts logging. `RUST_LOG` overrides `directives`.
fn start_with(directives: &str) {
    let from_environment = EnvFilter::try_from_default_env().ok();
    let directives = from_environment.is_none().then(|| directives.to_owned());
    let filter = from_environment.unwrap_or_else(|| filter(directives.iter().cloned().collect()));
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Output)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    // It is called once.
    let _ = FILTER.set((handle, directives));
}

/// Does with messages of the data plane as the ConfigMap says (`error-log-level`, `error-log-path`, `enable-syslog`). The
/// controller's are not affected: they say what is wrong with objects.
pub fn follow(messages: &Messages, destination: Option<Arc<Destination>>, log: &MessageLog) {
    output::set_route(destination.map(|to| Route { to, log: log.clone() }));
    let Some((handle, Some(directives))) = FILTER.get() else { return };
    let level = messages.level.map(|level| match level {
        MessageLevel::Debug => "debug",
        MessageLevel::Info => "info",
        MessageLevel::Warn => "warn",
        MessageLevel::Error => "error",
    });
    let own = level.map(|level| format!(",{DATA_PLANE}={level}")).unwrap_or_default();
    if let Err(error) = handle.reload(filter(format!("{directives}{own}"))) {
        tracing::warn!(%error, "error-log-level cannot be followed");
    }
}

/// The crate of the data plane.
const DATA_PLANE: &str = "headgate_gateway";

fn filter(directives: String) -> EnvFilter {
    EnvFilter::new(directives)
}
