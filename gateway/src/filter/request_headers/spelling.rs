//! How a client spelled the names of its headers. The HTTP library keeps them in lower case; some upstreams take
//! that for other names. No I/O.

use http::HeaderName;
use memchr::memchr;

/// Reads the names of a raw head beside the parsed headers, which come in the same order.
pub struct Spelling<'a> {
    /// The lines of names that were not asked for yet.
    rest: &'a [u8],
    /// What was asked for last. A name that repeats comes in one run, whatever stood between its lines.
    last: Option<(&'a HeaderName, &'a [u8])>,
}

impl<'a> Spelling<'a> {
    /// The names in `head`, which begins with a request line. It may be empty.
    pub fn new(head: &'a [u8]) -> Self {
        Self { rest: after_line(head), last: None }
    }

    /// The name of a header with a value of `length` bytes as the client wrote it, or in lower case where that is not
    /// to be found. It is always the same name.
    pub fn of(&mut self, name: &'a HeaderName, length: usize) -> &'a [u8] {
        if let Some((last, spelled)) = self.last
            && last == name
        {
            return spelled;
        }
        let lower = name.as_str().as_bytes();
        let mut spelled = lower;
        while !self.rest.is_empty() {
            let line = self.rest;
            if line.get(lower.len()) == Some(&b':')
                && let Some(found) = line.get(..lower.len())
                && found.eq_ignore_ascii_case(lower)
            {
                spelled = found;
                // Nearly every line is a name, a colon and a blank, the value, and CR LF.
                let end = lower.len() + length + 4;
                let usual = line.get(end - 1) == Some(&b'\n');
                self.rest = if usual { &line[end..] } else { after_line(line) };
                break;
            }
            self.rest = after_line(line);
        }
        self.last = Some((name, spelled));
        spelled
    }
}

/// What follows the first line.
fn after_line(text: &[u8]) -> &[u8] {
    memchr(b'\n', text).map_or(&[], |at| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelled(head: &str, names: &[&'static str]) -> Vec<String> {
        let names: Vec<_> = names.iter().map(|name| HeaderName::from_static(name)).collect();
        let mut spelling = Spelling::new(head.as_bytes());
        let text = |name| String::from_utf8(spelling.of(name, 1).to_vec()).unwrap();
        names.iter().map(text).collect()
    }

    const HEAD: &str = "GET / HTTP/1.1\r\nHost: a\r\nx-lOwEr: a\nX@Bad: 1\r\nDNT:1\r\nX-Two: 1\r\nACCEPT: */*\r\n\
                        X-two: 2\r\nEnd: x-more: 1\r\n\r\n";

    #[test]
    fn names_are_found_in_their_order_with_any_in_between() {
        let names = ["x-lower", "dnt", "x-two", "x-two", "accept", "end"];
        assert_eq!(spelled(HEAD, &names), ["x-lOwEr", "DNT", "X-Two", "X-Two", "ACCEPT", "End"]);
    }

    #[test]
    fn what_is_not_found_is_in_lower_case() {
        assert_eq!(spelled("", &["accept", "dnt"]), ["accept", "dnt"]);
        assert_eq!(spelled(HEAD, &["x-more", "end"]), ["x-more", "end"]);
        assert_eq!(spelled("GET / HTTP/1.1\r\nAccept", &["accept"]), ["accept"]);
    }

    proptest! {
        #[test]
        fn it_is_always_the_same_name(
            head in "([ -~]|\r\n|A:|Bc: ){0,40}",
            names in prop::collection::vec("[a-c]{1,2}", 0..6),
            length in 0..9usize,
        ) {
            let names: Vec<_> = names.iter().map(|name| name.parse::<HeaderName>().unwrap()).collect();
            let mut spelling = Spelling::new(head.as_bytes());
            for name in &names {
                let spelled = spelling.of(name, length);
                prop_assert!(spelled.eq_ignore_ascii_case(name.as_str().as_bytes()));
            }
        }
    }
}
