//! Names of header fields as upstreams compare them.

/// Whether two names differ by nothing but case, and `_` and `-`: many an upstream takes one for the other.
pub fn is_alike(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}
