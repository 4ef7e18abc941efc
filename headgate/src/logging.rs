//! Messages of the program go to standard error; standard output belongs to the access log.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

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
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(directives));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}
