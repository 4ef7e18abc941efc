//! Random request ids, for requests that bring none (configmap-and-flags §5.1).

use fastrand::Rng;
use http::HeaderValue;
use rustls::crypto::{GetRandomFailed, aws_lc_rs};

/// A source of request ids. Each worker has one.
///
/// Ids are for telling requests apart, not for keeping secrets: they come from two generators of 64 bits with
/// independent seeds from the operating system, not from a cryptographic one.
#[derive(Debug)]
pub struct RequestIds {
    high: Rng,
    low: Rng,
}

impl RequestIds {
    /// A source with a fresh random seed.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn from_os() -> Result<Self, GetRandomFailed> {
        let random = aws_lc_rs::default_provider().secure_random;
        let (mut high, mut low) = ([0; 8], [0; 8]);
        random.fill(&mut high)?;
        random.fill(&mut low)?;
        Ok(Self {
            high: Rng::with_seed(u64::from_le_bytes(high)),
            low: Rng::with_seed(u64::from_le_bytes(low)),
        })
    }

    /// Random numbers for what else has to be told apart.
    pub fn numbers(&mut self) -> [u64; 3] {
        [self.high.u64(..), self.low.u64(..), self.high.u64(..)]
    }

    /// A new id: 32 lower-case hexadecimal digits.
    pub fn generate(&mut self) -> HeaderValue {
        let mut text = [0; 32];
        write_hex(self.high.u64(..), &mut text[..16]);
        write_hex(self.low.u64(..), &mut text[16..]);
        HeaderValue::from_bytes(&text).expect("hexadecimal digits are valid in a header")
    }
}

fn write_hex(number: u64, text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, digits) in number.to_be_bytes().iter().zip(text.chunks_exact_mut(2)) {
        digits[0] = DIGITS[usize::from(byte >> 4)];
        digits[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_id_is_32_lower_case_hexadecimal_digits() {
        let mut ids = RequestIds::from_os().unwrap();
        for _ in 0..100 {
            let id = ids.generate();
            assert_eq!(id.len(), 32);
            let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            assert!(id.as_bytes().iter().all(is_digit), "{id:?}");
        }
    }

    #[test]
    fn ids_of_different_workers_do_not_repeat() {
        let mut sources = [RequestIds::from_os().unwrap(), RequestIds::from_os().unwrap()];
        let ids: HashSet<_> = (0..10_000).map(|turn| sources[turn % 2].generate()).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn numbers_keep_their_leading_zeros() {
        let mut text = [0; 16];
        write_hex(0x0012_3456_789a_bcde, &mut text);
        assert_eq!(&text, b"00123456789abcde");
    }
}
