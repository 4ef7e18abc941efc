//! The stream under a connection, and the buffer that all streams of a worker are read into.

use std::{
    cell::RefCell,
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::TcpStream,
};

use super::upload::Upload;
use crate::upstream::wire::{Encrypted, Reading};

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
    /// The same, encrypted.
    Encrypted(Encrypted),
    /// The other half is with the upload.
    Uploading(Reading, Upload),
    /// None any more.
    Closed,
}

impl Stream {
    /// Writes to it, if it is written to from here.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Option<Poll<io::Result<usize>>> {
        match self {
            Self::Whole(stream) => Some(Pin::new(stream).poll_write(cx, bytes)),
            Self::Encrypted(stream) => Some(Pin::new(stream).poll_write(cx, bytes)),
            Self::Uploading(..) | Self::Closed => None,
        }
    }

    /// Sends what encryption has taken and not sent yet.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Reads what is there. Empty at the end of the stream.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        INPUT.with_borrow_mut(|input| {
            input.clear();
            input.reserve(READ_SIZE);
            let outcome = match self {
                Self::Whole(stream) => pin!(stream.read_buf(input)).poll(cx),
                Self::Encrypted(stream) => pin!(stream.read_buf(input)).poll(cx),
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
