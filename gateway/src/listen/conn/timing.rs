//! Who owes what to whom over a connection, and since when.

use std::sync::atomic::Ordering::Relaxed;

use super::Connection;
use crate::{
    clock,
    live::{ListenerSettings, LiveSettings},
};

/// What the peer owes us, or we the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// A TLS handshake, or the first bytes of a connection.
    Handshake,
    /// Nothing: the connection is kept for a next request.
    Idle,
    /// The rest of a request head.
    Head,
    /// The rest of a request body.
    Body,
    /// We owe an answer.
    Serving,
    /// The connection ends; the peer's last bytes are thrown away.
    Lingering,
}

impl Connection {
    /// Enters a phase, or notes progress inside it.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.since.store(clock::tick(), Relaxed);
    }

    /// The current phase.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Handshake,
            1 => Phase::Idle,
            2 => Phase::Head,
            3 => Phase::Body,
            4 => Phase::Serving,
            _ => Phase::Lingering,
        }
    }

    /// Notes whether the last write made progress.
    pub fn wrote(&self, progress: bool) {
        if progress {
            let was_blocked = self.is_write_blocked();
            self.write_blocked_since.store(0, Relaxed);
            // Over HTTP/2 signs of life are written as well, and are no reason to keep a connection.
            if was_blocked || !self.is_tunnel() {
                self.answer_moves();
            }
        } else if self.write_blocked_since.load(Relaxed) == 0 {
            self.write_blocked_since.store(clock::tick(), Relaxed);
        }
    }

    /// Bytes of an answer are on their way. With no request left they are the end of the last answer: only now the
    /// pause begins.
    pub fn answer_moves(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Idle);
        }
    }

    /// Bytes of the running stream's answer were handed to the HTTP library: the peer's turn to take them.
    pub fn handed_over(&self) {
        self.handed_over_at.store(clock::tick(), Relaxed);
    }

    /// The HTTP library asks for more, or has let go of the answer: what it was given before is taken.
    pub fn taken(&self) {
        self.handed_over_at.store(0, Relaxed);
    }

    /// Another stream runs: what [`Self::handed_over`] and [`Self::taken`] are told is about it from now on. Takes
    /// what they were told last about the new stream, and gives that of the old one: the tick at which the peer's
    /// turn began, or 0.
    pub fn switch_stream(&self, handed_over_at: u32) -> u32 {
        let old = self.handed_over_at.load(Relaxed);
        self.handed_over_at.store(handed_over_at, Relaxed);
        old
    }

    /// Whether the peer does not take what was written.
    pub fn is_write_blocked(&self) -> bool {
        self.write_blocked_since.load(Relaxed) != 0
    }

    /// Whether nothing is owed to either side, and all that was written has left.
    pub fn is_at_rest(&self) -> bool {
        self.phase() == Phase::Idle && !self.is_write_blocked()
    }

    /// Whether a handshake or a head is waited for.
    pub fn is_read_from(&self) -> bool {
        matches!(self.phase(), Phase::Handshake | Phase::Head)
    }

    /// Whether it takes no request after this one: it has had as many as it may, or came to an address at which nobody is
    /// served any more.
    pub(crate) fn has_had_enough(&self, settings: &LiveSettings) -> bool {
        self.requests() >= settings.spec.keep_alive_requests || !settings.admits(self.local.ip())
    }

    /// Whether a connection that was told to end at `told` can be cut: it is at rest, and over HTTP/2, where a next
    /// request may be under way, its peer has had the time to hear of it.
    pub(crate) fn can_be_cut(&self, told: u32, settings: &ListenerSettings) -> bool {
        let since = self.since.load(Relaxed).max(told);
        self.is_at_rest()
            && (!self.is_tunnel() || clock::elapsed(since, clock::tick()) > settings.linger_timeout)
    }

    /// The peer is waited for: for the rest of a head or of a body, or for a next request.
    pub fn waiting(&self, phase: Phase) {
        let current = self.phase();
        // The time of a head and of a pause is counted from its begin, whatever trickles in.
        if current == phase || current == Phase::Handshake || current == Phase::Lingering {
            return;
        }
        // While an answer is owed the peer may be silent, or begin with its next request.
        if matches!(phase, Phase::Idle | Phase::Head) && self.active.load(Relaxed) > 0 {
            return;
        }
        // The first request of a connection is owed; only later ones are waited for at leisure.
        self.enter(if self.requests() == 0 { Phase::Head } else { phase });
    }

    /// Whether the peer has used up its time.
    pub(crate) fn overdue(&self, settings: &ListenerSettings) -> bool {
        let now = clock::tick();
        let blocked = self.write_blocked_since.load(Relaxed);
        if blocked != 0 && clock::elapsed(blocked, now) > settings.send_timeout {
            return true;
        }
        let limit = match self.phase() {
            Phase::Idle if blocked != 0 => return false,
            Phase::Handshake | Phase::Head => settings.head_timeout,
            Phase::Idle => settings.idle_timeout,
            Phase::Body => settings.body_timeout,
            Phase::Serving => return false,
            Phase::Lingering => settings.linger_timeout,
        };
        clock::elapsed(self.since.load(Relaxed), now) > limit
    }
}
