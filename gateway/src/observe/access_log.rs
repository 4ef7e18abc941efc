//! The access log: one line per request in the reference's format or one of the user's (configmap-and-flags §10).
//!
//! A worker formats into a buffer of its own and hands full buffers to one writer thread over a bounded channel. A
//! worker never waits for the sink: when the channel is full, the buffer is dropped and its lines are counted.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

mod attempts;
mod clock;
mod escape;
mod format;
mod number;
mod record;
mod stream;
mod user;
mod variable;

pub(crate) use clock::time_text;
pub(crate) use escape::Escape;
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

#[derive(Debug, Default)]
struct Buffer {
    text: Vec<u8>,
    lines: u64,
    clock: Clock,
}

#[derive(Debug)]
enum Message {
    Lines {
        text: Vec<u8>,
        count: u64,
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

impl WorkerLog {
    /// Writes one line. The time of the line is the time of this call.
    pub fn write(&self, format: &LogFormat, record: &AccessRecord<'_>) {
        self.line(|text, now| format.write(text, record, now));
    }

    /// Writes one line about a session of TCP or UDP.
    pub fn write_stream(&self, format: &StreamFormat, record: &StreamRecord<'_>) {
        self.line(|text, now| format.write(text, record, now));
    }

    fn line(&self, write: impl FnOnce(&mut Vec<u8>, &Now)) {
        let mut buffer = self.buffer.borrow_mut();
        let Buffer { text, lines, clock } = &mut *buffer;
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
        let mut buffer = self.buffer.borrow_mut();
        if !buffer.text.is_empty() {
            self.hand_over(&mut buffer);
        }
    }

    fn hand_over(&self, buffer: &mut Buffer) {
        let text = std::mem::take(&mut buffer.text);
        let count = std::mem::take(&mut buffer.lines);
        if self.sender.try_send(Message::Lines { text, count }).is_err() {
            self.dropped.fetch_add(count, Relaxed);
        }
    }
}

impl Drop for WorkerLog {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_all(receiver: &Receiver<Message>, mut sink: impl Write, lost: &AtomicU64) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Lines { text, count } => {
                // Nobody is there to be told but the counter: a failing sink must not end the program.
                if sink.write_all(&text).and_then(|()| sink.flush()).is_err() {
                    lost.fetch_add(count, Relaxed);
                }
            }
            Message::Close(done) => {
                let _ = done.send(());
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
