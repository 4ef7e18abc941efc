//! The stream to an endpoint, in clear or encrypted, and its halves.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf, split},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_rustls::client::TlsStream;

/// An encrypted stream.
pub type Encrypted = Box<TlsStream<TcpStream>>;

/// A stream to an endpoint.
pub enum Wire {
    /// In clear.
    Plain(TcpStream),
    /// Encrypted.
    Encrypted(Encrypted),
}

/// What is read from.
pub enum Reading {
    /// In clear.
    Plain(OwnedReadHalf),
    /// Encrypted.
    Encrypted(ReadHalf<Encrypted>),
}

/// What is written to.
pub enum Writing {
    /// In clear.
    Plain(OwnedWriteHalf),
    /// Encrypted.
    Encrypted(WriteHalf<Encrypted>),
}

impl Wire {
    /// Takes it apart, so that two tasks can use it.
    pub fn split(self) -> (Reading, Writing) {
        match self {
            Self::Plain(stream) => {
                let (read, write) = stream.into_split();
                (Reading::Plain(read), Writing::Plain(write))
            }
            Self::Encrypted(stream) => {
                let (read, write) = split(stream);
                (Reading::Encrypted(read), Writing::Encrypted(write))
            }
        }
    }
}

impl Reading {
    /// Puts both halves of a stream together again; nothing if they are of two streams.
    pub fn reunite(self, other: Writing) -> Option<Wire> {
        match (self, other) {
            (Self::Plain(read), Writing::Plain(write)) => read.reunite(write).ok().map(Wire::Plain),
            (Self::Encrypted(read), Writing::Encrypted(write)) if read.is_pair_of(&write) => {
                Some(Wire::Encrypted(read.unsplit(write)))
            }
            _ => None,
        }
    }
}

impl Writing {
    /// Lets go of it without telling the other end.
    pub fn forget(self) {
        if let Self::Plain(half) = self {
            half.forget();
        }
    }
}

/// Hands a call on to the stream, whichever it is.
macro_rules! each {
    ($kind:ident, $this:expr, $stream:ident => $call:expr) => {
        match $this {
            $kind::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            $kind::Encrypted($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
        }
    };
}

macro_rules! reads {
    ($kind:ident) => {
        impl AsyncRead for $kind {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                out: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                each!($kind, &mut *self, stream => stream.poll_read(cx, out))
            }
        }
    };
}

macro_rules! writes {
    ($kind:ident) => {
        impl AsyncWrite for $kind {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                each!($kind, &mut *self, stream => stream.poll_write(cx, bytes))
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                parts: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                each!($kind, &mut *self, stream => stream.poll_write_vectored(cx, parts))
            }

            fn is_write_vectored(&self) -> bool {
                match self {
                    $kind::Plain(stream) => stream.is_write_vectored(),
                    $kind::Encrypted(stream) => stream.is_write_vectored(),
                }
            }

            fn poll_flush(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                each!($kind, &mut *self, stream => stream.poll_flush(cx))
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                each!($kind, &mut *self, stream => stream.poll_shutdown(cx))
            }
        }
    };
}

reads!(Wire);
reads!(Reading);
writes!(Wire);
writes!(Writing);
