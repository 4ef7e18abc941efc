//! One answer's encoder. The only place that knows the crate with the codings.

use std::{
    cell::{Cell, RefCell},
    io,
};

use bytes::{Buf, Bytes};
use compression_codecs::{
    BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder, brotli::params::EncoderParams,
    flate::params::FlateEncoderParams, zstd::params::CParameter,
};
use compression_core::{
    Level,
    util::{PartialBuffer, WriteBuffer},
};

/// Largest piece of output.
const PIECE: usize = 16 * 1024;
/// Windows and tables, as powers of two. With them an answer takes 0.3 MiB in gzip, 0.3 to 1.2 in Zstandard and 1.7 to 3 in
/// Brotli, instead of up to 83 (measured).
const BROTLI_WINDOW: u8 = 17;
const ZSTD_WINDOW: u8 = 17;
const ZSTD_TABLE: u32 = 17;
/// From here on Brotli takes 25 MiB for each answer, and from level 10 on seconds of its worker for each MiB: it tries no harder.
const HARDEST_BROTLI: u8 = 6;
/// Memory of the encoders of a worker at once, in KiB. What would need more is sent as it is.
const BUDGET: usize = 64 * 1024;

thread_local! {
    static OUTPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
    /// What there is of the budget in use, in KiB.
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Codec {
    /// Its name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What one encoder takes at most, in KiB (measured, rounded up).
    fn cost(self) -> usize {
        match self {
            Self::Brotli => 3 * 1024,
            Self::Zstd => 1280,
            Self::Gzip => 360,
        }
    }
}

/// What an encoder is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// As much of the input as there is room for.
    Encode,
    /// All that it has taken, so that the client can read it.
    Flush,
    /// The end.
    Finish,
}

/// The encoder of one answer.
pub struct Encoder {
    state: Box<dyn EncodeV2>,
    _share: Share,
}

/// A part of the worker's budget, in KiB.
struct Share(usize);

impl Share {
    fn take(cost: usize) -> Option<Self> {
        IN_USE.with(|in_use| {
            let sum = in_use.get() + cost;
            (sum <= BUDGET).then(|| {
                in_use.set(sum);
                Self(cost)
            })
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        IN_USE.with(|in_use| in_use.set(in_use.get().saturating_sub(self.0)));
    }
}

impl Encoder {
    /// An encoder; nothing if those of the worker would take too much memory with it. `length` is that of the body, if it is known.
    pub fn new(codec: Codec, level: u8, length: Option<u64>) -> Option<Self> {
        let share = Share::take(codec.cost())?;
        let level = match codec {
            Codec::Brotli => level.min(HARDEST_BROTLI),
            Codec::Zstd | Codec::Gzip => level,
        };
        let level = Level::Precise(level.into());
        let state: Box<dyn EncodeV2> = match codec {
            Codec::Gzip => Box::new(GzipEncoder::new(FlateEncoderParams::from(level))),
            Codec::Brotli => {
                let window = i32::from(window(BROTLI_WINDOW, length));
                let params = EncoderParams::default().quality(level).window_size(window);
                Box::new(BrotliEncoder::new(params))
            }
            Codec::Zstd => {
                let parameters = [
                    CParameter::window_log(window(ZSTD_WINDOW, length).into()),
                    CParameter::hash_log(ZSTD_TABLE),
                    CParameter::chain_log(ZSTD_TABLE),
                ];
                Box::new(ZstdEncoder::new_with_params(CParameter::quality(level), &parameters))
            }
        };
        Some(Self { state, _share: share })
    }

    /// Goes one step, which gives a piece of output at most and takes from `input` what it has used. Says whether the wish was
    /// fulfilled; otherwise it has to be asked again.
    ///
    /// # Errors
    ///
    /// The coding fails, or makes no progress.
    pub fn step(&mut self, want: Want, input: &mut Bytes) -> io::Result<(Bytes, bool)> {
        OUTPUT.with_borrow_mut(|room| {
            let mut output = WriteBuffer::new_initialized(room);
            let before = input.len();
            let done = match want {
                Want::Encode => {
                    let mut given = PartialBuffer::new(&input[..]);
                    self.state.encode(&mut given, &mut output)?;
                    let taken = given.written_len();
                    input.advance(taken);
                    input.is_empty()
                }
                Want::Flush => self.state.flush(&mut output)?,
                Want::Finish => self.state.finish(&mut output)?,
            };
            let stuck = !done && output.written_len() == 0 && input.len() == before;
            if stuck {
                return Err(io::Error::other("the encoder makes no progress"));
            }
            Ok((Bytes::copy_from_slice(output.written()), done))
        })
    }
}

/// The window for a body: no larger than the body needs.
fn window(most: u8, length: Option<u64>) -> u8 {
    const LEAST: u8 = 10;
    let Some(length) = length else { return most };
    let needed = u64::BITS - length.leading_zeros();
    u8::try_from(needed).map_or(most, |needed| needed.clamp(LEAST, most))
}

#[cfg(test)]
mod tests;
