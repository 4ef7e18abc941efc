//! Where lines go that do not go to standard output: a file, a receiver of datagrams, standard error. Only the writer
//! thread writes there, so that neither a disk nor a name that takes long holds up a worker.

use std::{
    io::{self, Write},
    sync::Arc,
};

use headgate_config::LogTarget;
use parking_lot::Mutex;

use super::{file::LogFile, syslog::Syslog};

/// Where lines go.
#[derive(Debug)]
pub struct Destination {
    target: LogTarget,
    sink: Mutex<Sink>,
}

#[derive(Debug)]
enum Sink {
    File(LogFile),
    Stderr,
    Syslog(Syslog),
}

impl Destination {
    /// Opens a destination; `None` is standard output. What is open `before` stays open.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(target: &LogTarget, before: Option<&Arc<Self>>) -> io::Result<Option<Arc<Self>>> {
        if let Some(same) = before.filter(|before| before.target == *target) {
            return Ok(Some(Arc::clone(same)));
        }
        let sink = match target {
            LogTarget::Stdout => return Ok(None),
            LogTarget::Stderr => Sink::Stderr,
            LogTarget::File(path) => Sink::File(LogFile::open(path)?),
            LogTarget::Syslog(receiver) => Sink::Syslog(Syslog::new(receiver.clone())),
        };
        Ok(Some(Arc::new(Self { target: target.clone(), sink: Mutex::new(sink) })))
    }

    /// Writes whole lines; says how many were lost of these `count`. `severity` is theirs where they are messages. Blocks.
    pub(super) fn write(&self, text: &[u8], count: u64, severity: Option<u8>) -> u64 {
        let written = match &mut *self.sink.lock() {
            Sink::File(file) => file.write(text),
            Sink::Stderr => io::stderr().write_all(text),
            Sink::Syslog(receiver) => return receiver.write(text, severity),
        };
        if written.is_ok() { 0 } else { count }
    }
}

/// Whether two are the same.
pub(crate) fn same(one: Option<&Arc<Destination>>, other: Option<&Arc<Destination>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}
