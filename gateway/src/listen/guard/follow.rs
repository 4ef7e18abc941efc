//! Follows the message framing of a client's HTTP/1 stream, and says which of its bytes the library may see.
//! No I/O.

use std::sync::Arc;

use headgate_config::HeadLimits;
use hyper::rt::ReadBufCursor;

use super::super::{
    chunk::ChunkScan,
    conn::{Connection, Head, Phase},
    head::{self, BodyFraming},
};

/// What the library sees in place of a refused head.
pub(in crate::listen) const STAND_IN: &[u8] =
    b"GET / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";
/// Most bytes of empty lines in front of a request line.
const MAX_BLANK: usize = 64;

/// Where a stream is between and inside its messages, and what waits to be passed on.
pub(super) struct Follower {
    connection: Arc<Connection>,
    limits: HeadLimits,
    framing: Framing,
    /// Bytes of a head that is not complete yet, or input that waits to be passed on.
    held: Vec<u8>,
    /// How much of `held` is checked and may be passed on.
    ready: usize,
    /// The message at hand wants to change the protocol.
    wants_upgrade: bool,
}

/// What the stream is to be read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More of its messages.
    More,
    /// More, as far as there is room to hold it: it is not looked at before the request at hand is answered.
    Later { room: bool },
    /// Nothing: the answer to the refused head is on its way, and the connection ends with it.
    Refused,
    /// Nothing: the framing of a body is broken.
    Broken,
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

impl Follower {
    /// At the start of a stream of which `early` was already read.
    pub(super) fn new(connection: Arc<Connection>, early: Vec<u8>, limits: HeadLimits) -> Self {
        let mut follower = Self {
            connection,
            limits,
            framing: Framing::Head { searched: 0 },
            held: early,
            ready: 0,
            wants_upgrade: false,
        };
        if follower.connection.is_tunnel() {
            follower.ready = follower.held.len();
        } else if !follower.held.is_empty() {
            follower.scan_held();
        }
        follower
    }

    /// What the stream is to be read for.
    pub(super) fn next(&self) -> Next {
        match self.framing {
            _ if self.connection.is_tunnel() => Next::More,
            Framing::Paused => Next::Later { room: self.held.len() <= self.limits.total as usize },
            Framing::Refused => Next::Refused,
            Framing::Broken => Next::Broken,
            Framing::Head { .. } | Framing::Length(_) | Framing::Chunked(_) => Next::More,
        }
    }

    /// Takes bytes that were read and passes on what is checked. False when nothing could be passed on yet.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut ReadBufCursor<'_>) -> bool {
        if self.connection.is_tunnel() {
            out.put_slice(bytes);
            return true;
        }
        if !self.held.is_empty() {
            self.held.extend_from_slice(bytes);
            self.scan_held();
            return self.deliver(out);
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
        passed > 0 || self.deliver(out)
    }

    /// Passes on what is held and checked. False if there is nothing.
    pub(super) fn deliver(&mut self, out: &mut ReadBufCursor<'_>) -> bool {
        if self.ready == 0 {
            return false;
        }
        let count = self.ready.min(out.remaining());
        out.put_slice(&self.held[..count]);
        self.held.drain(..count);
        self.ready -= count;
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        true
    }

    /// The stream has nothing: notes what the peer is waited for.
    pub(super) fn note_waiting(&self) {
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
    pub(super) fn resume(&mut self) {
        if !matches!(self.framing, Framing::Paused) {
            return;
        }
        if self.connection.is_tunnel() {
            self.ready = self.held.len();
        } else if self.connection.is_answered() {
            self.framing = Framing::Head { searched: 0 };
            self.scan_held();
        }
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

    fn scan_head(&mut self, bytes: &[u8], searched: usize) -> HeadScan {
        // Empty lines in front of a request line are skipped (RFC 9112 §2.2).
        let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if blank > MAX_BLANK {
            return self.refuse(400);
        }
        let text = &bytes[blank..];
        if text.is_empty() {
            return HeadScan::Partial;
        }
        let Some(end) = head::end_of_head(text, searched.saturating_sub(blank)) else {
            self.framing = Framing::Head { searched: bytes.len() };
            return match head::refuse_partial(text, self.limits) {
                Some(status) => self.refuse(status),
                None => HeadScan::Partial,
            };
        };
        let text = &text[..end];
        match head::check(text, self.limits) {
            Err(status) => self.refuse(status),
            Ok(accepted) => {
                let mut head = Head {
                    length: end as u32,
                    text: text.into(),
                    odd_names: accepted.odd_names,
                    ..Head::default()
                };
                let repaired = if accepted.repair {
                    let (text, target) = head::repair(text);
                    head.raw_target = target.map(Into::into);
                    Some(text)
                } else {
                    (!is_skipped_by_library(&bytes[..blank])).then(|| text.to_vec())
                };
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

/// Whether the library skips these ends of lines as well: other than the reference it takes no CR on its own.
fn is_skipped_by_library(mut blank: &[u8]) -> bool {
    while let Some(rest) = blank.strip_prefix(b"\r\n").or_else(|| blank.strip_prefix(b"\n")) {
        blank = rest;
    }
    blank.is_empty()
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
