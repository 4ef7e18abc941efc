//! Facts about the bounds of what waits for a collector.

use std::time::{Duration, UNIX_EPOCH};

use headgate_config::SpanSettings;
use http::Version;

use super::*;

/// Room for this many spans.
const ROOM: usize = 64;

/// Records a request for `target`.
fn record(spans: &WorkerSpans, target: &[u8]) {
    let span = Span::new(None, &SpanSettings::default(), [1, 2, 3]);
    spans.record(&Record {
        span: &span,
        name: b"shop",
        end: UNIX_EPOCH,
        elapsed: Duration::ZERO,
        status: 200,
        method: "GET",
        version: Version::HTTP_11,
        target,
        route: "/",
        scheme: "http",
        host: b"a.test",
        server_address: b"a.test",
        server_name: "a.test",
        server_port: 80,
        client_address: "192.0.2.1",
        peer_address: "192.0.2.1",
        peer_port: 5000,
        user_agent: Some(target),
    });
}

#[test]
fn as_many_spans_wait_as_there_is_room_for_and_fewer_if_they_are_large() {
    let (chunks, mut arriving) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::new(chunks));
    shared.room.store(ROOM, Relaxed);
    let spans = WorkerSpans { shared: Arc::clone(&shared), buffer: RefCell::default() };
    // What waits, and how many bytes that has; it is taken over.
    let mut settle = || {
        spans.flush();
        let (mut waiting, mut bytes) = (0, 0);
        while let Ok(chunk) = arriving.try_recv() {
            (waiting, bytes) = (waiting + chunk.spans(), bytes + chunk.bytes());
        }
        let counted = (shared.waiting.load(Relaxed), shared.waiting_bytes.load(Relaxed));
        assert_eq!(counted, (waiting, bytes));
        shared.arrived(waiting, bytes, 0);
        waiting
    };
    for _ in 0..2 * ROOM {
        record(&spans, b"/");
    }
    assert_eq!(settle(), ROOM);
    let large = [&b"/?"[..], &[b'x'; 6000]].concat();
    for _ in 0..2 * ROOM {
        record(&spans, &large);
    }
    let waiting = settle();
    assert!((ROOM / 4..ROOM).contains(&waiting), "{waiting}");
    for _ in 0..2 * ROOM {
        record(&spans, b"/");
    }
    assert_eq!(settle(), ROOM, "all places are free again");
}
