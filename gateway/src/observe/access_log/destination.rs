//! Where lines go that do not go to standard output: a file, a receiver of datagrams, standard error. Each has a thread of
//! its own, which alone writes there: a disk that hangs holds up neither a worker nor any other log.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use headgate_config::LogTarget;
use parking_lot::Mutex;

use super::{WAITING_BUFFERS, file::LogFile, syslog::Syslog};

/// Where lines go.
#[derive(Debug)]
pub struct Destination {
    target: LogTarget,
    writer: Mutex<Writer>,
}

/// The thread that writes.
#[derive(Debug)]
enum Writer {
    /// It is started with the first lines.
    Unneeded(Sink),
    /// It ends when this is gone.
    Started(SyncSender<Order>),
    /// It could not be started.
    None,
}

/// What the thread is told.
#[derive(Debug)]
enum Order {
    Lines {
        text: Vec<u8>,
        count: u64,
        severity: Option<u8>,
    },
    /// Answer, as what came before is written.
    Answer(SyncSender<()>),
}

#[derive(Debug)]
enum Sink {
    File(LogFile),
    Stderr,
    Syslog(Syslog),
    /// It takes as long as a test wants it to.
    #[cfg(test)]
    Held(Receiver<()>),
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
        Ok(Some(Arc::new(Self {
            target: target.clone(),
            writer: Mutex::new(Writer::Unneeded(sink)),
        })))
    }

    /// One that writes nothing as long as nobody sends anything to `held`, or drops what does.
    #[cfg(test)]
    pub(super) fn held(held: Receiver<()>) -> Arc<Self> {
        let writer = Mutex::new(Writer::Unneeded(Sink::Held(held)));
        Arc::new(Self { target: LogTarget::Stderr, writer })
    }

    /// Hands `count` whole lines to the thread, which adds to `lost` those that it cannot write; so are they all if too many
    /// wait. `severity` is theirs where they are messages.
    pub(super) fn write(
        &self,
        text: Vec<u8>,
        count: u64,
        severity: Option<u8>,
        lost: &Arc<AtomicU64>,
    ) {
        let mut writer = self.writer.lock();
        *writer = match std::mem::replace(&mut *writer, Writer::None) {
            Writer::Unneeded(sink) => {
                sink.start(Arc::clone(lost)).map_or(Writer::None, Writer::Started)
            }
            other => other,
        };
        let is_taken = match &*writer {
            Writer::Started(orders) => {
                orders.try_send(Order::Lines { text, count, severity }).is_ok()
            }
            _ => false,
        };
        if !is_taken {
            lost.fetch_add(count, Relaxed);
        }
    }

    /// Waits until all lines are written. Blocks.
    pub(super) fn settle(&self) {
        let orders = match &*self.writer.lock() {
            Writer::Started(orders) => orders.clone(),
            _ => return,
        };
        let (done, wait) = sync_channel(1);
        if orders.send(Order::Answer(done)).is_ok() {
            // It only ends when everything is written.
            let _ = wait.recv();
        }
    }
}

impl Sink {
    fn start(self, lost: Arc<AtomicU64>) -> io::Result<SyncSender<Order>> {
        let (orders, arriving) = sync_channel(WAITING_BUFFERS);
        let run = move || self.run(&arriving, &lost);
        thread::Builder::new().name("log-file".into()).spawn(run)?;
        Ok(orders)
    }

    fn run(mut self, arriving: &Receiver<Order>, lost: &AtomicU64) {
        while let Ok(order) = arriving.recv() {
            match order {
                Order::Lines { text, count, severity } => {
                    lost.fetch_add(self.write(&text, count, severity), Relaxed);
                }
                Order::Answer(done) => drop(done.send(())),
            }
        }
    }

    /// Writes whole lines; says how many were lost of these `count`.
    fn write(&mut self, text: &[u8], count: u64, severity: Option<u8>) -> u64 {
        let written = match self {
            Self::File(file) => file.write(text),
            Self::Stderr => io::stderr().write_all(text),
            Self::Syslog(receiver) => return receiver.write(text, severity),
            #[cfg(test)]
            Self::Held(held) => {
                let _ = held.recv();
                Ok(())
            }
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
