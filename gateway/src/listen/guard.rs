//! The stream under the HTTP/1 library. It sees every byte of a client before the library does, follows the message
//! framing, and shows the library only heads that passed [`super::head::check`]. A refused head is replaced by a
//! stand-in, so that its answer is written in its turn and by the same code as any other.
//!
//! Because the library only ever sees complete heads, it never holds half a one. Bytes are copied once, from a
//! buffer of the worker, which saves a second buffer for each connection.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    chunk::ChunkScan,
    conn::{Connection, Head, Phase},
    head::{self, BodyFraming},
};

/// Size of a worker's read buffer.
const READ_SIZE: usize = 16 * 1024;
/// What the library sees in place of a refused head.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";
/// Bytes of a lingering peer that are read before the connection is cut.
const LINGER_BYTES: u64 = 16 * 1024 * 1024;

/// Answers up to this size are written in one piece.
const JOINED: usize = 2048;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
}

/// A client stream with its guard.
pub struct Guarded<S> {
    stream: S,
    connection: Arc<Connection>,
    framing: Framing,
    /// Bytes of a head that is not complete yet, or input that waits to be passed on.
    held: Vec<u8>,
    /// How much of `held` is checked and may be passed on.
    ready: usize,
    /// The message at hand wants to change the protocol.
    wants_upgrade: bool,
    lingered: u64,
    write_closed: bool,
}

#[derive(Debug)]
enum Framing {
    /// A head is next. `searched` bytes of `held` have no end of head in them.
    Head { searched: usize },
    /// Bytes of a body.
    Length(u64),
    /// A chunked body.
    Chunked(ChunkScan),
    /// Behind a request that wants to change the protocol: what comes is not looked at before it is answered.
    Paused,
    /// A chunked body turned out to be malformed.
    Broken,
    /// A head was refused: nothing of the peer counts any more.
    Refused,
}

impl<S> Guarded<S> {
    /// Guards a stream. `early` are bytes that were already read from it.
    pub fn new(stream: S, connection: Arc<Connection>, early: Vec<u8>) -> Self {
        let mut guard = Self {
            stream,
            connection,
            framing: Framing::Head { searched: 0 },
            held: early,
            ready: 0,
            wants_upgrade: false,
            lingered: 0,
            write_closed: false,
        };
        if guard.connection.is_tunnel() {
            guard.ready = guard.held.len();
        } else if !guard.held.is_empty() {
            guard.scan_held();
        }
        guard
    }

    /// Checks what is held and not checked yet.
    fn scan_held(&mut self) {
        loop {
            let mut held = std::mem::take(&mut self.held);
            let from = self.ready;
            let (passed, then) = self.scan(&held[from..], true);
            let at = from + passed;
            self.ready = at;
            let replaced = match then {
                Then::Rest => false,
                Then::Refused => {
                    held.truncate(at);
                    held.extend_from_slice(STAND_IN);
                    self.ready = held.len();
                    false
                }
                Then::Replaced { skip, head } => {
                    let tail = held.split_off(at + skip);
                    held.truncate(at);
                    held.extend_from_slice(&head);
                    self.ready = held.len();
                    held.extend_from_slice(&tail);
                    true
                }
            };
            self.held = held;
            if !replaced {
                return;
            }
        }
    }

    /// Follows the framing through `bytes`; says how many may be passed on, and what comes after them.
    fn scan(&mut self, bytes: &[u8], held: bool) -> (usize, Then) {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.framing {
                Framing::Length(left) => {
                    let taken = (*left).min((bytes.len() - at) as u64);
                    at += taken as usize;
                    *left -= taken;
                    self.connection.enter(Phase::Serving);
                    if *left == 0 {
                        self.message_end();
                    }
                }
                Framing::Chunked(scan) => {
                    self.connection.enter(Phase::Serving);
                    match scan.advance(&bytes[at..]) {
                        Ok(taken) => at += taken,
                        Err(_) => {
                            self.framing = Framing::Broken;
                            return (at, Then::Rest);
                        }
                    }
                    if *scan == ChunkScan::Done {
                        self.message_end();
                    }
                }
                Framing::Head { searched } => {
                    let searched = if held { std::mem::take(searched) } else { 0 };
                    match self.scan_head(&bytes[at..], searched) {
                        HeadScan::Passed(taken) => at += taken,
                        HeadScan::Partial => return (at, Then::Rest),
                        HeadScan::Replaced(skip, head) => {
                            return (at, Then::Replaced { skip, head });
                        }
                        HeadScan::Refused => return (at, Then::Refused),
                    }
                }
                Framing::Paused | Framing::Broken | Framing::Refused => return (at, Then::Rest),
            }
        }
        (at, Then::Rest)
    }

    fn message_end(&mut self) {
        let next = if self.wants_upgrade { Framing::Paused } else { Framing::Head { searched: 0 } };
        self.wants_upgrade = false;
        self.framing = next;
    }

    /// The stream has nothing: notes what the peer is waited for.
    fn note_waiting(&self) {
        match &self.framing {
            _ if self.connection.is_tunnel() => {}
            Framing::Length(_) | Framing::Chunked(_) => self.connection.waiting(Phase::Body),
            Framing::Head { .. } if self.held.is_empty() => self.connection.waiting(Phase::Idle),
            Framing::Head { .. } => self.connection.waiting(Phase::Head),
            Framing::Paused | Framing::Broken | Framing::Refused => {}
        }
    }

    /// Goes on behind a request that wanted to change the protocol: everything is passed on if it was agreed to, and
    /// looked at if not. Nothing changes while that is open.
    fn resume(&mut self) {
        if self.connection.is_tunnel() {
            self.ready = self.held.len();
        } else if self.connection.is_answered() {
            self.framing = Framing::Head { searched: 0 };
            self.scan_held();
        }
    }

    fn scan_head(&mut self, bytes: &[u8], searched: usize) -> HeadScan {
        // Empty lines in front of a request line are skipped (RFC 9112 §2.2).
        let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let text = &bytes[blank..];
        if text.is_empty() {
            return if blank > 64 { self.refuse(400) } else { HeadScan::Partial };
        }
        let Some(end) = head::end_of_head(text, searched.saturating_sub(blank)) else {
            self.framing = Framing::Head { searched: bytes.len() };
            return match head::refuse_partial(text) {
                Some(status) => self.refuse(status),
                None => HeadScan::Partial,
            };
        };
        let text = &text[..end];
        if end > head::MAX_HEAD {
            return self.refuse(400);
        }
        match head::check(text) {
            Err(status) => self.refuse(status),
            Ok(accepted) => {
                let mut head = Head {
                    length: end as u32,
                    text: text.into(),
                    odd_names: accepted.odd_names,
                    ..Head::default()
                };
                let repaired = accepted.repair.then(|| {
                    let (text, target) = head::repair(text);
                    head.raw_target = target.map(Into::into);
                    text
                });
                self.connection.push_head(head);
                self.connection.enter(Phase::Serving);
                self.wants_upgrade = accepted.wants_upgrade;
                match accepted.framing {
                    BodyFraming::Length(0) => self.message_end(),
                    BodyFraming::Length(length) => self.framing = Framing::Length(length),
                    BodyFraming::Chunked => self.framing = Framing::Chunked(ChunkScan::START),
                }
                match repaired {
                    Some(head) => HeadScan::Replaced(blank + end, head),
                    None => HeadScan::Passed(blank + end),
                }
            }
        }
    }

    fn refuse(&mut self, status: u16) -> HeadScan {
        self.connection.push_head(Head { refusal: Some(status), ..Head::default() });
        self.connection.enter(Phase::Serving);
        self.connection.linger();
        self.framing = Framing::Refused;
        HeadScan::Refused
    }
}

/// What comes after bytes that may be passed on.
enum Then {
    /// The beginning of a head, or nothing.
    Rest,
    /// A head that is refused: the stand-in is passed on, and nothing after it.
    Refused,
    /// A head of `skip` bytes that the library must see as `head`.
    Replaced { skip: usize, head: Vec<u8> },
}

enum HeadScan {
    /// So many bytes are a good head.
    Passed(usize),
    /// The head is not complete.
    Partial,
    /// So many bytes are a good head, but this is to be passed on instead.
    Replaced(usize, Vec<u8>),
    /// The head is refused.
    Refused,
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Passes on what is held and checked. `None` if there is nothing.
    fn deliver(&mut self, out: &mut ReadBufCursor<'_>) -> Option<()> {
        if self.ready == 0 {
            return None;
        }
        let count = self.ready.min(out.remaining());
        out.put_slice(&self.held[..count]);
        self.held.drain(..count);
        self.ready -= count;
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        Some(())
    }

    /// Reads once, and checks and passes on what came. Ready with `false` when nothing could be passed on yet.
    fn poll_once(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<bool>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = out.remaining().min(scratch.len());
            let mut read = ReadBuf::new(&mut scratch[..room]);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Pending => {
                    self.note_waiting();
                    return Poll::Pending;
                }
                Poll::Ready(outcome) => outcome?,
            }
            let bytes = read.filled();
            self.connection.count_received(bytes.len());
            if bytes.is_empty() {
                return Poll::Ready(Ok(true));
            }
            if self.connection.is_tunnel() {
                out.put_slice(bytes);
                return Poll::Ready(Ok(true));
            }
            if !self.held.is_empty() {
                self.held.extend_from_slice(bytes);
                self.scan_held();
                return Poll::Ready(Ok(self.deliver(out).is_some()));
            }
            let (passed, then) = self.scan(bytes, false);
            out.put_slice(&bytes[..passed]);
            match then {
                Then::Rest => self.held.extend_from_slice(&bytes[passed..]),
                Then::Refused => {
                    self.held.extend_from_slice(STAND_IN);
                    self.ready = self.held.len();
                }
                Then::Replaced { skip, head } => {
                    self.held = head;
                    self.ready = self.held.len();
                    self.held.extend_from_slice(&bytes[passed + skip..]);
                    self.scan_held();
                }
            }
            Poll::Ready(Ok(passed > 0 || self.deliver(out).is_some()))
        })
    }
}

impl<S: AsyncRead + Unpin> Read for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        if matches!(guard.framing, Framing::Paused) {
            guard.resume();
        }
        if guard.deliver(&mut out).is_some() {
            return Poll::Ready(Ok(()));
        }
        loop {
            match guard.framing {
                _ if guard.connection.is_tunnel() => {}
                Framing::Paused => {
                    guard.connection.pause(cx);
                    // Enough is held of a peer that talks before it was answered.
                    if guard.held.len() > head::MAX_HEAD {
                        return Poll::Pending;
                    }
                }
                // The answer to the refused head is on its way; the connection ends with it.
                Framing::Refused => return Poll::Pending,
                Framing::Broken => {
                    guard.connection.set_malformed();
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "malformed chunk",
                    )));
                }
                _ => {}
            }
            if ready!(guard.poll_once(cx, &mut out))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Writes several slices. Small ones are joined first: one copy of a few hundred bytes costs less than a vectored
/// system call.
fn write_slices<S: AsyncWrite>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    slices: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if let [one] = slices {
        return stream.poll_write(cx, one);
    }
    let total: usize = slices.iter().map(|slice| slice.len()).sum();
    let mut joined = [0; JOINED];
    let Some(room) = joined.get_mut(..total) else {
        return stream.poll_write_vectored(cx, slices);
    };
    let mut at = 0;
    for slice in slices {
        room[at..at + slice.len()].copy_from_slice(slice);
        at += slice.len();
    }
    stream.poll_write(cx, room)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.connection.wrote(outcome.is_ready());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = write_slices(Pin::new(&mut self.stream), cx, slices);
        self.connection.wrote(outcome.is_ready());
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        if outcome.is_pending() {
            self.connection.wrote(false);
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        if !guard.write_closed {
            ready!(Pin::new(&mut guard.stream).poll_shutdown(cx))?;
            guard.write_closed = true;
            guard.connection.enter(Phase::Lingering);
        }
        if !guard.connection.is_lingering() {
            return Poll::Ready(Ok(()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let mut read = ReadBuf::new(scratch);
                match ready!(Pin::new(&mut guard.stream).poll_read(cx, &mut read)) {
                    Ok(()) if read.filled().is_empty() => return Poll::Ready(Ok(())),
                    Ok(()) => guard.lingered += read.filled().len() as u64,
                    Err(_) => return Poll::Ready(Ok(())),
                }
                if guard.lingered > LINGER_BYTES {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }
}
