//! The stream under a connection, and the buffer that all streams of a worker are read into.

use std::{
    cell::RefCell,
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncReadExt,
    net::{TcpStream, tcp::OwnedReadHalf},
};

use super::upload::Upload;

/// Bytes that are read at once, at most.
const READ_SIZE: usize = 64 * 1024;

thread_local! {
    /// What all connections of a worker read into. Small reads are copied out, so that nobody who is slow holds it.
    static INPUT: RefCell<BytesMut> = RefCell::default();
}

/// The stream under a connection.
pub(super) enum Stream {
    /// All of it.
    Whole(TcpStream),
    /// The other half is with the upload.
    Uploading(OwnedReadHalf, Upload),
    /// None any more.
    Closed,
}

impl Stream {
    /// Reads what is there. Empty at the end of the stream.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        INPUT.with_borrow_mut(|input| {
            input.clear();
            input.reserve(READ_SIZE);
            let outcome = match self {
                Self::Whole(stream) => pin!(stream.read_buf(input)).poll(cx),
                Self::Uploading(read, _) => pin!(read.read_buf(input)).poll(cx),
                Self::Closed => Poll::Ready(Ok(0)),
            };
            outcome.map_ok(|read| {
                if read >= READ_SIZE / 2 {
                    input.split().freeze()
                } else {
                    Bytes::copy_from_slice(input)
                }
            })
        })
    }
}
