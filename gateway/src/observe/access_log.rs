//! The access log: one line per request in the reference's format or one of the user's (configmap-and-flags §10).
//!
//! A worker formats into a buffer of its own and hands full buffers to one writer thread over a bounded channel. A
//! worker never waits for the sink: when the channel is full, the buffer is dropped and its lines are counted. What does
//! not go to standard output is handed on to the thread of where it goes.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

mod attempts;
mod clock;
mod destination;
mod escape;
mod file;
mod format;
mod number;
mod record;
mod stream;
mod syslog;
mod user;
mod variable;

pub(crate) use clock::time_text;
pub use destination::Destination;
pub(crate) use destination::same;
pub(crate) use escape::Escape;
pub use file::reopen;
pub(crate) use format::{Captured, DEFAULT, FormatError, LogFormat};
pub(crate) use record::{AccessRecord, Attempt, TlsInfo};
pub(crate) use stream::{StreamFormat, StreamRecord, StreamUpstream};
pub(crate) use user::basic_user;

use clock::{Clock, Now};

/// Size at which a worker hands its buffer over.
const BUFFER: usize = 32 * 1024;

/// Room that a line is expected to fit into; a longer one makes the buffer grow.
const LINE: usize = 4 * 1024;

/// Buffers that may wait for the writer. Beyond it lines are dropped.
const WAITING_BUFFERS: usize = 64;

/// The access log of the process: the writer thread and the way to it.
#[derive(Debug)]
pub struct AccessLog {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// One worker's side of the access log.
#[derive(Debug)]
pub struct WorkerLog {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    buffer: RefCell<Buffer>,
}

/// A way for messages of the program to where the data plane's go.
#[derive(Clone, Debug)]
pub struct MessageLog {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Buffer {
    text: Vec<u8>,
    lines: u64,
    clock: Clock,
    /// Where they go; `None` is the log's own sink.
    to: Option<Arc<Destination>>,
}

#[derive(Debug)]
enum Message {
    Lines {
        text: Vec<u8>,
        count: u64,
        to: Option<Arc<Destination>>,
        /// That of messages.
        severity: Option<u8>,
    },
    /// Write what came before, answer, and end.
    Close(SyncSender<()>),
}

impl AccessLog {
    /// A log that ends in `sink`, which only the writer thread touches.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING_BUFFERS);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_all(&receiver, sink, &lost))?;
        Ok(Self { sender, dropped })
    }

    /// A log that goes to standard output.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn stdout() -> io::Result<Self> {
        Self::start(io::stdout())
    }

    /// The side of one more worker.
    pub(crate) fn worker(&self) -> WorkerLog {
        WorkerLog {
            sender: self.sender.clone(),
            dropped: Arc::clone(&self.dropped),
            buffer: RefCell::default(),
        }
    }

    /// A way to it for the program's own messages.
    pub fn messages(&self) -> MessageLog {
        MessageLog { sender: self.sender.clone(), dropped: Arc::clone(&self.dropped) }
    }

    /// Lines that were lost because the sink was too slow or failed.
    pub fn dropped_lines(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// Waits until everything that workers have flushed is written, at most for `limit`; later lines are dropped.
    /// False if the limit was reached. Blocks the thread.
    pub fn close(self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let (done, wait) = sync_channel(1);
        let mut message = Message::Close(done);
        // A stuck sink leaves the channel full, and a blocking send would then never return.
        while let Err(TrySendError::Full(back)) = self.sender.try_send(message) {
            if Instant::now() >= deadline {
                return false;
            }
            message = back;
            thread::sleep(Duration::from_millis(2));
        }
        wait.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

impl MessageLog {
    /// Writes a line, with its end. It is lost if there is no room.
    pub fn write(&self, to: &Arc<Destination>, severity: u8, line: Vec<u8>) {
        let (to, severity) = (Some(Arc::clone(to)), Some(severity));
        if self.sender.try_send(Message::Lines { text: line, count: 1, to, severity }).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl WorkerLog {
    /// Another buffer of the same worker, for lines that go elsewhere.
    pub fn another(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            dropped: Arc::clone(&self.dropped),
            buffer: RefCell::default(),
        }
    }

    /// Writes one line. The time of the line is the time of this call.
    pub fn write(
        &self,
        to: Option<&Arc<Destination>>,
        format: &LogFormat,
        record: &AccessRecord<'_>,
    ) {
        self.line(to, |text, now| format.write(text, record, now));
    }

    /// Writes one line about a session of TCP or UDP.
    pub fn write_stream(
        &self,
        to: Option<&Arc<Destination>>,
        format: &StreamFormat,
        record: &StreamRecord<'_>,
    ) {
        self.line(to, |text, now| format.write(text, record, now));
    }

    fn line(&self, to: Option<&Arc<Destination>>, write: impl FnOnce(&mut Vec<u8>, &Now)) {
        let mut buffer = self.buffer.borrow_mut();
        if !same(buffer.to.as_ref(), to) {
            self.hand_over(&mut buffer);
            buffer.to = to.cloned();
        }
        let Buffer { text, lines, clock, .. } = &mut *buffer;
        if text.capacity() == 0 {
            text.reserve(BUFFER + LINE);
        }
        write(text, clock.at(SystemTime::now()));
        text.push(b'\n');
        *lines += 1;
        if text.len() >= BUFFER {
            self.hand_over(&mut buffer);
        }
    }

    /// Hands over what is buffered. To be called about every second, and before the worker ends.
    pub fn flush(&self) {
        self.hand_over(&mut self.buffer.borrow_mut());
    }

    fn hand_over(&self, buffer: &mut Buffer) {
        let text = std::mem::take(&mut buffer.text);
        if text.is_empty() {
            return;
        }
        let (count, to) = (std::mem::take(&mut buffer.lines), buffer.to.clone());
        if self.sender.try_send(Message::Lines { text, count, to, severity: None }).is_err() {
            self.dropped.fetch_add(count, Relaxed);
        }
    }
}

impl Drop for WorkerLog {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_all(receiver: &Receiver<Message>, mut sink: impl Write, lost: &Arc<AtomicU64>) {
    // Those that lines were handed to.
    let mut others: Vec<Weak<Destination>> = Vec::new();
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Lines { text, count, to: Some(to), severity } => {
                to.write(text, count, severity, lost);
                if !others.iter().any(|other| other.as_ptr() == Arc::as_ptr(&to)) {
                    others.retain(|other| other.strong_count() > 0);
                    others.push(Arc::downgrade(&to));
                }
            }
            Message::Lines { text, count, .. } => {
                // Nobody is there to be told but the counter: a failing sink must not end the program.
                if sink.write_all(&text).and_then(|()| sink.flush()).is_err() {
                    lost.fetch_add(count, Relaxed);
                }
            }
            Message::Close(done) => {
                others.iter().filter_map(Weak::upgrade).for_each(|other| other.settle());
                let _ = done.send(());
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
