//! Identifiers. Posts and comments have eight hex digits, as in the original application; events and requests are longer.

/// A random id for a post or comment. The caller checks that it is free.
///
/// At least one digit is a letter: JavaScript moves object keys that look like array indices to the front, which would
/// break the order of `GET /posts` for about one post in fifty.
pub fn entity() -> String {
    loop {
        let id = format!("{:08x}", fastrand::u32(..));
        if id.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return id;
        }
    }
}

/// A random id for a request, trace or event that came without one: 32 hex digits, never all zero.
pub fn long() -> String {
    format!("{:032x}", fastrand::u128(1..))
}

/// A random id for one hop of a trace: 16 hex digits, never all zero.
pub fn span() -> String {
    format!("{:016x}", fastrand::u64(1..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_ids_are_eight_hex_digits_with_a_letter() {
        for _ in 0..2_000 {
            let id = entity();
            assert_eq!(id.len(), 8);
            assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
            assert!(id.bytes().any(|byte| byte.is_ascii_alphabetic()), "{id}");
        }
    }
}
