//! Percent-encoding of decoded paths, with the byte sets that clients and upstreams of the reference see
//! (annotations §3.2).

use std::borrow::Cow;

/// A decoded path as it is written on the wire: upstream after a rewrite, or in the `Location` of a slash redirect.
///
/// Escaped with upper-case digits are bytes up to 0x20 and from 0x7F on, and ``" # % < > ? \ ^ ` { | }``.
pub fn escape_path(path: &[u8]) -> Cow<'_, [u8]> {
    match path.iter().position(|&b| URI[usize::from(b)]) {
        None => Cow::Borrowed(path),
        Some(first) => {
            let mut out = Vec::with_capacity(path.len() + 16);
            out.extend_from_slice(&path[..first]);
            append_path(&mut out, &path[first..]);
            Cow::Owned(out)
        }
    }
}

/// Appends what [`escape_path`] makes of a text.
pub(super) fn append_path(out: &mut Vec<u8>, text: &[u8]) {
    append(out, text, &URI);
}

/// Appends a capture that is put into a redirecting rewrite: like [`escape_path`], and also `& + ;`.
pub(crate) fn append_argument(out: &mut Vec<u8>, text: &[u8]) {
    append(out, text, &ARGUMENT);
}

/// Undoes the escapes of printable bytes in a redirect's location, up to and including the first question mark.
pub(crate) fn tidy_redirect(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match (*first, after) {
            (b'?', _) => {
                out.push(b'?');
                break;
            }
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                rest = after;
                let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0) as u8;
                match value(high) << 4 | value(low) {
                    b'?' => {
                        out.push(b'?');
                        break;
                    }
                    plain @ b'&'..=b'~' => out.push(plain),
                    _ => out.extend([b'%', *high, *low]),
                }
            }
            (byte, _) => out.push(byte),
        }
    }
    out.extend_from_slice(rest);
    out
}

fn append(out: &mut Vec<u8>, text: &[u8], escaped: &[bool; 256]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if escaped[usize::from(byte)] {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        } else {
            out.push(byte);
        }
    }
}

static URI: [bool; 256] = escaped(b"\"#%<>?\\^`{|}");
static ARGUMENT: [bool; 256] = escaped(b"\"#%<>?\\^`{|}&+;");

const fn escaped(printable: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte <= 0x20 || byte >= 0x7F;
        byte += 1;
    }
    let mut at = 0;
    while at < printable.len() {
        table[printable[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_without_special_bytes_are_borrowed() {
        assert!(matches!(escape_path(b"/!$&'()*,;=:@~[]-._+"), Cow::Borrowed(_)));
    }

    #[test]
    fn special_bytes_are_written_with_upper_case_digits() {
        assert_eq!(
            &*escape_path("/a b\"#%<>?\\^`{|}é\n\x7f".as_bytes()),
            b"/a%20b%22%23%25%3C%3E%3F%5C%5E%60%7B%7C%7D%C3%A9%0A%7F"
        );
    }

    #[test]
    fn redirects_keep_only_the_escapes_of_unprintable_bytes_and_a_few_more() {
        assert_eq!(tidy_redirect(b"/%7B%7D%41%22%23%25%20%C3"), b"/{}A%22%23%25%20%C3");
        assert_eq!(tidy_redirect(b"/%3F%7B"), b"/?%7B");
        assert_eq!(tidy_redirect(b"/a?%41"), b"/a?%41");
        assert_eq!(tidy_redirect(b"/%4"), b"/%4");
    }
}
