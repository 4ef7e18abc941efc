//! The value of `Content-Length`, of requests and answers alike: a number that one side reads otherwise than the other
//! is how messages are smuggled.

/// Largest length that fits the signed offset that sizes are kept in elsewhere.
const MAX: u64 = i64::MAX as u64;

/// The length that a field value says. `None` if it is no plain number, is a list (RFC 9112 §6.3), or is too large;
/// whether there is another such field is for the caller to look at.
pub fn parse(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    // As many as cannot overflow.
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = digits.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    (length <= MAX).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_lengths() {
        for (value, length) in [
            ("0", Some(0)),
            (" 5\t", Some(5)),
            ("0005", Some(5)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("9999999999999999999", None),
            ("00000000000000000005", None),
            ("", None),
            (" ", None),
            ("+5", None),
            ("-5", None),
            ("0x5", None),
            ("5, 5", None),
            ("5 5", None),
        ] {
            assert_eq!(parse(value.as_bytes()), length, "{value:?}");
        }
    }
}
