//! Random bytes for tests of what reads bytes of the network: now and then one byte that is not what it should be.

use proptest::{prelude::*, sample::Index};

/// Where a byte is replaced, and by which; mostly none is.
pub type Noise = Option<(Index, u8)>;

/// Noise, in three of ten cases.
pub fn noise() -> impl Strategy<Value = Noise> {
    prop::option::weighted(0.3, (any::<Index>(), any::<u8>()))
}

/// The bytes with that noise.
pub fn with(mut data: Vec<u8>, noise: Noise) -> Vec<u8> {
    if let Some((at, byte)) = noise.filter(|_| !data.is_empty()) {
        let at = at.index(data.len());
        data[at] = byte;
    }
    data
}
