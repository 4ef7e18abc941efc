//! The bytes of a transfer, which nobody holds: their sender makes them, and their receiver knows what must come where.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bytes::Bytes;

/// After so many bytes they repeat. A prime: no two places that a buffer could mix up look alike.
const PERIOD: usize = 65_521;
/// A body below this arrives without a pause.
const LEAST: u64 = 1024 * 1024;
/// Of a sender that does not move for so long nothing more will come.
const STUCK: Duration = Duration::from_millis(100);
/// How long the receiver waits for that at most.
const PAUSE: Duration = Duration::from_secs(2);

/// A body and how far it has come.
pub struct Payload {
    total: u64,
    sent: AtomicU64,
    received: AtomicU64,
    on_the_way: AtomicU64,
    waited: AtomicU64,
}

impl Payload {
    /// A body of so many bytes.
    pub fn new(total: u64) -> Self {
        let [sent, received, on_the_way, waited] = Default::default();
        Self { total, sent, received, on_the_way, waited }
    }

    /// Its length.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How much its sender has got rid of.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// How much has arrived.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// How much was between them when neither could go on.
    pub fn on_the_way(&self) -> u64 {
        self.on_the_way.load(Relaxed)
    }

    /// How long the receiver has waited for that.
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.waited.load(Relaxed))
    }

    /// Bytes from a place on, as many as are at hand; none at the end.
    pub fn piece(&self, at: u64) -> Bytes {
        static BLOCK: OnceLock<Bytes> = OnceLock::new();
        let block = BLOCK.get_or_init(|| {
            let mut random = fastrand::Rng::with_seed(1);
            (0..PERIOD).map(|_| random.u8(..)).collect::<Vec<_>>().into()
        });
        let from = (at % PERIOD as u64) as usize;
        let left = usize::try_from(self.total - at).unwrap_or(PERIOD);
        block.slice(from..PERIOD.min(from.saturating_add(left)))
    }

    /// Counts bytes that were sent.
    pub fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }

    /// Takes the next bytes that have arrived.
    ///
    /// # Errors
    /// They are not those that were sent, or too many.
    pub async fn take(&self, data: &[u8]) -> Result<()> {
        let (before, mut rest) = (self.received(), data);
        let mut at = before;
        while !rest.is_empty() {
            let expected = self.piece(at);
            let (next, others) = rest.split_at(expected.len().min(rest.len()));
            ensure!(!next.is_empty(), "more than {} bytes arrive", self.total);
            ensure!(expected.starts_with(next), "other bytes than were sent arrive at {at}");
            (rest, at) = (others, at + next.len() as u64);
        }
        self.received.store(at, Relaxed);
        let quarter = self.total / 4;
        if self.total >= LEAST && before < quarter && at >= quarter {
            self.wait().await;
        }
        Ok(())
    }

    /// Makes sure that all of it has arrived.
    ///
    /// # Errors
    /// It has not.
    pub fn check(&self) -> Result<()> {
        ensure!(self.received() == self.total, "only {} bytes arrive", self.received());
        Ok(())
    }

    /// Takes nothing until the sender cannot go on.
    async fn wait(&self) {
        let begin = Instant::now();
        let (mut seen, mut since) = (self.sent(), begin);
        while since.elapsed() < STUCK && begin.elapsed() < PAUSE {
            tokio::time::sleep(STUCK / 20).await;
            let now = self.sent();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
        self.on_the_way.store(seen.saturating_sub(self.received()), Relaxed);
        let waited = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waited.store(waited, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_taken_as_it_was_made_and_not_otherwise() {
        let payload = Payload::new(200_000);
        let first = payload.piece(0);
        payload.take(&first).await.unwrap();
        assert!(payload.take(&first[1..]).await.is_err());
        assert!(payload.check().is_err());
        for _ in 0..3 {
            payload.take(&payload.piece(payload.received())).await.unwrap();
        }
        payload.check().unwrap();
        assert!(payload.take(b"x").await.is_err());
    }

    #[tokio::test]
    async fn a_receiver_waits_until_its_sender_is_stuck() {
        let payload = Payload::new(LEAST);
        let sending = async {
            for _ in 0..10 {
                payload.count_sent(50_000);
                tokio::time::sleep(STUCK / 5).await;
            }
        };
        let receiving = async {
            while payload.received() <= LEAST / 4 {
                payload.take(&payload.piece(payload.received())).await.unwrap();
            }
        };
        tokio::join!(receiving, sending);
        assert!(payload.waited() >= STUCK, "{:?}", payload.waited());
        assert!(payload.on_the_way() > 0);
    }
}
