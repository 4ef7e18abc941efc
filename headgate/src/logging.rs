//! Messages of the program go to standard error; standard output belongs to the access log. Those of the data plane are
//! what the reference has an error log for: the ConfigMap may say where they go, and how many there are.

mod output;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
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

/// What the client of the API server has to say of each failed request is said once, and better, by whoever made the
/// request; so is what the watch has to say of a folder.
const LIBRARIES: &str = "kube_client=off,kube_runtime=off,notify=error,tower=off";

/// Messages of a gateway, as many as `-v` asks for.
pub fn start(verbosity: u32) {
    start_with(&directives(verbosity));
}

/// Messages of the demo: the application's services only speak up when something is wrong.
pub fn start_demo() {
    start_with("info,backends=warn,notify=error");
}

/// What is shown at a level of `-v` (docs/operating.md). Libraries stay at the level of `info` whatever it is: some of
/// them show what clients or the API server have sent.
fn directives(verbosity: u32) -> String {
    let own = match verbosity {
        0 | 1 => "",
        2 => "headgate::decisions=debug,",
        3 | 4 => "headgate=debug,headgate::requests=info,",
        5.. => "headgate=debug,",
    };
    format!("info,{own}{LIBRARIES}")
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
    panic::set_hook(Box::new(tell_panic));
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

/// What the targets of the data plane's messages begin with.
const DATA_PLANE: &str = "headgate_gateway";

fn filter(directives: String) -> EnvFilter {
    EnvFilter::new(directives)
}

/// Says at once, and in the form of all other messages, that a thread panics: whoever waits for it may only notice
/// much later.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let reason = panic.payload_as_str().unwrap_or("nothing more is known");
    let place = panic.location().map(tracing::field::display);
    // Escaped: what it was about may come from anywhere.
    tracing::error!(thread, place, "panic, which is a bug of headgate: {reason:?}");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(thread, "{backtrace}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use headgate_config::log_target::{DECISIONS, REQUESTS};

    use super::*;

    /// What one message of each sort shows at a level of `-v`.
    fn shown(verbosity: u32) -> Vec<&'static str> {
        let filter = EnvFilter::new(directives(verbosity));
        let log = Log::default();
        let written = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(move || written.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "headgate_gateway::live", "news");
            tracing::debug!(target: DECISIONS, "decision");
            tracing::debug!(target: "headgate_controller::run", "detail");
            tracing::debug!(target: REQUESTS, "request");
            tracing::debug!(target: "h2::codec", "library");
            tracing::warn!(target: "kube_client::client", "refusal");
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let all = ["news", "decision", "detail", "request", "library", "refusal"];
        all.into_iter().filter(|word| text.contains(word)).collect()
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_level_shows_more_and_none_what_libraries_see() {
        assert_eq!(shown(0), ["news"]);
        assert_eq!(shown(1), ["news"]);
        assert_eq!(shown(2), ["news", "decision"]);
        assert_eq!(shown(3), ["news", "decision", "detail"]);
        assert_eq!(shown(4), shown(3));
        assert_eq!(shown(5), ["news", "decision", "detail", "request"]);
        assert_eq!(shown(10), shown(5));
    }
}
