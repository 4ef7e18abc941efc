//! The signals that ask the process to stop, the one that asks for new log files, and the one that asks for nothing.

use anyhow::Context;
use headgate_gateway::observe::access_log;
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

/// SIGTERM, SIGINT and SIGQUIT, from the moment on that this exists.
pub struct StopSignals([Signal; 3]);

impl StopSignals {
    /// Listens from now on. The first process of a container never sees a signal that it does not listen for, so this comes
    /// before everything that takes time.
    pub fn listen(runtime: &Runtime) -> anyhow::Result<Self> {
        let _context = runtime.enter();
        let listen = |kind| signal(kind).context("signals cannot be listened for");
        Ok(Self([
            listen(SignalKind::terminate())?,
            listen(SignalKind::interrupt())?,
            listen(SignalKind::quit())?,
        ]))
    }

    /// Waits for one that has not been waited for.
    pub async fn next(&mut self) {
        let [terminate, interrupt, quit] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

/// Opens log files again with every SIGUSR1, which rotation sends as it does to nginx.
pub fn reopen_logs(runtime: &Runtime) -> anyhow::Result<()> {
    let _context = runtime.enter();
    let mut asked =
        signal(SignalKind::user_defined1()).context("signals cannot be listened for")?;
    runtime.spawn(async move {
        while asked.recv().await.is_some() {
            access_log::reopen();
        }
    });
    Ok(())
}

/// Answers SIGHUP, with which nginx is told to read its configuration again and which a closing terminal sends. Without this
/// it would end the process in the middle of requests.
pub fn outlive_terminal(runtime: &Runtime) -> anyhow::Result<()> {
    let _context = runtime.enter();
    let mut asked = signal(SignalKind::hangup()).context("signals cannot be listened for")?;
    runtime.spawn(async move {
        while asked.recv().await.is_some() {
            tracing::info!(
                "SIGHUP: there is nothing to read again, changes are live when they are made"
            );
        }
    });
    Ok(())
}
