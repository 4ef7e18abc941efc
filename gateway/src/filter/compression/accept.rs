//! What a client says that it takes (`Accept-Encoding`, RFC 9110 §12.5.3). No I/O.

use http::{HeaderMap, header};
use smallvec::SmallVec;

/// Codings with their qualities in thousandths.
pub struct Accepted<'a> {
    codings: SmallVec<[(&'a [u8], u16); 6]>,
}

/// Codings that are heeded; real clients name four or five.
const MOST: usize = 32;

impl<'a> Accepted<'a> {
    /// What the headers of a request say.
    pub fn of(headers: &'a HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
        let items = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        Self { codings: items.filter_map(item).take(MOST).collect() }
    }

    /// How much a coding is wanted, in thousandths; 0 is not at all.
    pub fn quality(&self, name: &str) -> u16 {
        let of = |name: &[u8]| {
            let mut named =
                self.codings.iter().filter(|(coding, _)| coding.eq_ignore_ascii_case(name));
            named.next().map(|(_, quality)| *quality)
        };
        let older = || if name == "gzip" { of(b"x-gzip") } else { None };
        of(name.as_bytes()).or_else(older).or_else(|| of(b"*")).unwrap_or(0)
    }
}

/// Name and quality of an item. One that cannot be read is not wanted.
fn item(text: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = text.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.find_map(|part| match part {
        [b'q' | b'Q', rest @ ..] => rest.trim_ascii_start().strip_prefix(b"="),
        _ => None,
    });
    Some((name, weight.map_or(1000, |weight| thousandths(weight.trim_ascii()))))
}

/// A weight of RFC 9110 §12.4.2; anything else is 0.
fn thousandths(text: &[u8]) -> u16 {
    let (whole, rest) = match text {
        [whole @ (b'0' | b'1'), rest @ ..] => (u16::from(whole - b'0') * 1000, rest),
        _ => return 0,
    };
    let digits = match rest {
        [] => return whole,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return 0,
    };
    let mut fraction = 0;
    for place in 0..3 {
        let digit = match digits.get(place) {
            None => 0,
            Some(digit @ b'0'..=b'9') => u16::from(digit - b'0'),
            Some(_) => return 0,
        };
        fraction = fraction * 10 + digit;
    }
    (whole + fraction).min(1000)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn quality(value: &'static str, name: &str) -> u16 {
        let headers =
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        Accepted::of(&headers).quality(name)
    }

    #[test]
    fn weights_are_thousandths_and_what_cannot_be_read_is_not_wanted() {
        for (value, expected) in [
            ("gzip", 1000),
            ("GZIP;q=0.5", 500),
            ("deflate, gzip ; q = 0.123", 123),
            ("x-gzip", 1000),
            ("*;q=0.2", 200),
            ("gzip;q=0, *", 0),
            ("br", 0),
            ("", 0),
            ("gzip;q=1.5", 1000),
            ("gzip;q=0.1234", 0),
            ("gzip;q=x", 0),
            ("gzipped", 0),
        ] {
            assert_eq!(quality(value, "gzip"), expected, "{value}");
        }
        assert_eq!(quality("*", "br"), 1000);
        assert_eq!(quality("x-gzip", "br"), 0);
    }

    #[test]
    fn all_lines_count() {
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip;q=0.1"));
        headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static("br;q=0.9"));
        let accepted = Accepted::of(&headers);
        assert_eq!((accepted.quality("gzip"), accepted.quality("br")), (100, 900));
    }
}
