//! The few forms of protocol buffers that OTLP needs, written and read. Pure.

/// Wire types.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Bytes of a varint.
pub fn varint_length(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Fields have numbers below 16 here, or are written with [`fixed32`].
fn key(out: &mut Vec<u8>, field: u8, wire: u8) {
    varint(out, u64::from(field) << 3 | u64::from(wire));
}

/// A number.
pub fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

/// A number of eight bytes.
pub fn fixed64(out: &mut Vec<u8>, field: u8, value: u64) {
    key(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A number of four bytes.
pub fn fixed32(out: &mut Vec<u8>, field: u8, value: u32) {
    key(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// What stands before `length` bytes: those of a text, or of a message.
pub fn length(out: &mut Vec<u8>, field: u8, length: usize) {
    key(out, field, BYTES);
    varint(out, length as u64);
}

/// Bytes, a text or a message.
pub fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    length(out, field, value.len());
    out.extend_from_slice(value);
}

/// Bytes that [`bytes()`] takes.
pub fn bytes_length(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

/// Takes a varint from the front of `text`.
fn take_varint(text: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (byte, rest) = text.split_first()?;
        *text = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number.
    Number(u64),
    /// Bytes, a text or a message.
    Bytes(&'a [u8]),
    /// Anything else.
    Other,
}

/// The fields of a message by their numbers, up to where it stops making sense.
pub fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = take_varint(&mut message)?;
        let wire = (key & 7) as u8;
        let length = match wire {
            VARINT => return Some((key >> 3, Value::Number(take_varint(&mut message)?))),
            BYTES => usize::try_from(take_varint(&mut message)?).ok()?,
            FIXED64 => 8,
            FIXED32 => 4,
            _ => return None,
        };
        let (value, rest) = message.split_at_checked(length)?;
        message = rest;
        Some((key >> 3, if wire == BYTES { Value::Bytes(value) } else { Value::Other }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out.len(), varint_length(value), "{value}");
            assert_eq!(take_varint(&mut &*out), Some(value));
        }
        let mut out = Vec::new();
        number(&mut out, 1, 300);
        fixed64(&mut out, 2, 7);
        bytes(&mut out, 3, b"text");
        fixed32(&mut out, 16, 1);
        number(&mut out, 4, 0);
        let read: Vec<_> = fields(&out).collect();
        let expected = [
            (1, Value::Number(300)),
            (2, Value::Other),
            (3, Value::Bytes(b"text")),
            (16, Value::Other),
            (4, Value::Number(0)),
        ];
        assert_eq!(read, expected);
        assert_eq!(bytes_length(4), 6);
    }

    #[test]
    fn nonsense_ends_the_reading() {
        for nonsense in [&[0xff; 12][..], &[0x0a, 5, 1], &[0x0b], &[0x08], &[0x09, 1]] {
            assert_eq!(fields(nonsense).count(), 0, "{nonsense:?}");
        }
    }
}
