use std::task::Waker;

use super::*;
use crate::listen::tests::connection;

/// A stream that takes everything, and has it under way before `flushed` is set.
struct Slow {
    flushed: bool,
}

impl AsyncRead for Slow {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flushed { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_connection_is_at_rest_when_the_end_of_its_answer_has_left() {
    let connection = connection();
    let mut guarded = Guarded::new(
        Slow { flushed: false },
        Arc::clone(&connection),
        Vec::new(),
        HeadLimits::default(),
    );
    let mut cx = Context::from_waker(Waker::noop());
    connection.enter(Phase::Idle);
    assert!(Pin::new(&mut guarded).poll_write(&mut cx, b"the end").is_ready());
    assert!(Pin::new(&mut guarded).poll_flush(&mut cx).is_pending());
    assert!(!connection.is_at_rest());
    guarded.stream.flushed = true;
    assert!(Pin::new(&mut guarded).poll_flush(&mut cx).is_ready());
    assert!(connection.is_at_rest());
}
