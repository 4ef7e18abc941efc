//! Base64 (RFC 4648), as clients and files send it.

/// Decodes the usual alphabet, with or without padding. What stands behind that, and bits that are left over, do not count: so
/// do other servers read credentials.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memchr(b'=', text).unwrap_or(text.len());
    bytes(&text[..end], *b"+/").map(|(bytes, _)| bytes)
}

/// Decodes the alphabet of URLs, without padding (RFC 7515 §2). A text has one encoding only: bits that are left over are
/// zero.
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    let (bytes, rest) = bytes(text.as_bytes(), *b"-_")?;
    (rest == 0).then_some(bytes)
}

/// The bytes, and the bits that are left over. `last` are the signs of the last two of the alphabet.
fn bytes(text: &[u8], last: [u8; 2]) -> Option<(Vec<u8>, u32)> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for sign in text {
        bits = (bits << 6 | u32::from(sextet(*sign, last)?)) & 0x3fff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    (count < 6).then_some((bytes, bits & ((1 << count) - 1)))
}

fn sextet(sign: u8, last: [u8; 2]) -> Option<u8> {
    Some(match sign {
        b'A'..=b'Z' => sign - b'A',
        b'a'..=b'z' => sign - b'a' + 26,
        b'0'..=b'9' => sign - b'0' + 52,
        _ if sign == last[0] => 62,
        _ if sign == last[1] => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of these bytes, sign by sign; `last` are the last two of the alphabet.
    fn encode(bytes: &[u8], last: &str) -> String {
        let signs = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last.chars());
        let signs: Vec<char> = signs.collect();
        let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
        let sign = |first: usize| {
            let number = (first..first + 6).fold(0, |number, at| number * 2 + usize::from(bit(at)));
            signs[number]
        };
        (0..bytes.len() * 8).step_by(6).map(sign).collect()
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for length in 0..70usize {
            let bytes: Vec<u8> = (0..length).map(|at| (at * 37 % 256) as u8).collect();
            let (usual, of_urls) = (encode(&bytes, "+/"), encode(&bytes, "-_"));
            assert_eq!(decode_url(&of_urls).as_deref(), Some(&*bytes));
            assert_eq!(decode(usual.as_bytes()).as_deref(), Some(&*bytes));
            let padding = "=".repeat((4 - usual.len() % 4) % 4);
            assert_eq!(decode((usual + &padding).as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn of_urls_a_text_has_one_form() {
        for (text, expected) in
            [("", Some(vec![])), ("AA", Some(vec![0])), ("__8", Some(vec![255, 255]))]
        {
            assert_eq!(decode_url(text), expected, "{text}");
        }
        for text in ["A", "AB", "AAB", "AAAAA", "AA==", "AA=", "A A", "A+", "A/", "é", "AA\n"] {
            assert_eq!(decode_url(text), None, "{text:?}");
        }
    }

    #[test]
    fn usual_ones_are_read_as_others_read_them() {
        for (text, expected) in [
            ("//8=", Some(vec![255, 255])),
            ("AB", Some(vec![0])),
            ("AA=nonsense", Some(vec![0])),
            ("=", Some(vec![])),
            ("A", None),
            ("A A=", None),
            ("A-==", None),
            ("A_==", None),
        ] {
            assert_eq!(decode(text.as_bytes()), expected, "{text}");
        }
    }
}
