//! Whether this process wants traffic.

use std::sync::OnceLock;

use parking_lot::Mutex;

/// Readiness of the process: not before every source is read and the table is live, and never again once the
/// process shuts down.
#[derive(Debug)]
pub struct Readiness {
    state: Mutex<State>,
    /// Why the process has to be replaced.
    broken: OnceLock<String>,
}

#[derive(Debug)]
enum State {
    Waiting(String),
    /// With what is not as it should be, if anything.
    Ready(Option<String>),
    ShuttingDown,
}

impl Readiness {
    /// Not ready; `reason` says what is still missing.
    pub fn waiting(reason: impl Into<String>) -> Self {
        Self { state: Mutex::new(State::Waiting(reason.into())), broken: OnceLock::new() }
    }

    /// Says what is missing now. Without effect once the process shuts down.
    pub fn set_waiting(&self, reason: impl Into<String>) {
        self.change(State::Waiting(reason.into()));
    }

    /// Everything is read and the table is live. Without effect once the process shuts down.
    pub fn set_ready(&self) {
        self.change(State::Ready(None));
    }

    /// Says what is not as it should be while the table is served all the same; `None` once it is. Without effect
    /// where nothing is served.
    pub fn set_complaint(&self, complaint: Option<String>) {
        let mut current = self.state.lock();
        if matches!(*current, State::Ready(_)) {
            *current = State::Ready(complaint);
        }
    }

    /// The process shuts down. That is final.
    pub fn set_shutting_down(&self) {
        self.change(State::ShuttingDown);
    }

    /// Part of the process does not work any more and nothing but a restart mends it. What still works stays ready.
    /// That is final; the first reason counts.
    pub fn set_broken(&self, reason: impl Into<String>) {
        let _ = self.broken.set(reason.into());
    }

    /// Why the process has to be restarted, if it has to.
    pub fn broken(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    /// Whether the process shuts down.
    pub fn is_shutting_down(&self) -> bool {
        matches!(*self.state.lock(), State::ShuttingDown)
    }

    /// Whether the process is ready, and what is not as it should be although it is.
    ///
    /// # Errors
    /// It is not; the text says why.
    pub fn check(&self) -> Result<Option<String>, String> {
        match &*self.state.lock() {
            State::Ready(complaint) => Ok(complaint.clone()),
            State::Waiting(reason) => Err(reason.clone()),
            State::ShuttingDown => Err("shutting down".to_owned()),
        }
    }

    fn change(&self, state: State) {
        let mut current = self.state.lock();
        if !matches!(*current, State::ShuttingDown) {
            *current = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_only_between_start_and_shutdown() {
        let readiness = Readiness::waiting("manifests are being read");
        assert_eq!(readiness.check(), Err("manifests are being read".into()));
        readiness.set_complaint(Some("too early".into()));
        readiness.set_ready();
        assert_eq!(readiness.check(), Ok(None));
        readiness.set_shutting_down();
        assert_eq!(readiness.check(), Err("shutting down".into()));
    }

    #[test]
    fn a_complaint_does_not_end_readiness() {
        let readiness = Readiness::waiting("");
        readiness.set_ready();
        readiness.set_complaint(Some("no API server".into()));
        assert_eq!(readiness.check(), Ok(Some("no API server".into())));
        readiness.set_complaint(None);
        assert_eq!(readiness.check(), Ok(None));
    }

    #[test]
    fn a_shutdown_is_final() {
        let readiness = Readiness::waiting("");
        readiness.set_shutting_down();
        readiness.set_ready();
        readiness.set_waiting("more");
        assert!(readiness.is_shutting_down());
        assert_eq!(readiness.check(), Err("shutting down".into()));
    }
}
