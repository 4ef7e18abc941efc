//! Messages of the program go to standard error; standard output belongs to the access log.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
};

use tracing_subscriber::EnvFilter;

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
        5.. => "headgate=trace,",
    };
    format!("info,{own}{LIBRARIES}")
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
    panic::set_hook(Box::new(tell_panic));
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
