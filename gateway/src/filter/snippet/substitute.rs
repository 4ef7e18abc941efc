//! Replaces texts in a body while it passes (`sub_filter`). Holds back no more than the longest text that is looked for.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes that are made at a time, about: what is replaced may be much shorter than what comes in its place.
const LARGEST_PART: usize = 256 * 1024;

/// What is replaced, and what is not sent yet because it may be the beginning of that.
#[derive(Debug)]
pub struct Substituter {
    replacements: Vec<Wanted>,
    once: bool,
    /// Whether a text may begin with a byte.
    begins: Box<[bool; 256]>,
    held: BytesMut,
    /// In what is held there is more to be found: the last part was large enough.
    is_stopped: bool,
    /// Nothing comes behind what is held.
    is_last: bool,
}

#[derive(Debug)]
struct Wanted {
    /// In lower case.
    text: Vec<u8>,
    by: Vec<u8>,
    is_done: bool,
}

/// What stands at a position.
enum Here {
    /// Nothing that is looked for.
    Nothing,
    /// Perhaps: what follows is not known yet.
    Open,
    /// The text of this number.
    Found(usize),
}

impl Substituter {
    /// For texts (in lower case, not empty) and what comes in their place.
    pub fn new(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>, once: bool) -> Self {
        let wanted = |(text, by)| Wanted { text, by, is_done: false };
        let replacements: Vec<Wanted> = pairs.into_iter().map(wanted).collect();
        let mut substituter = Self {
            replacements,
            once,
            begins: Box::new([false; 256]),
            held: BytesMut::new(),
            is_stopped: false,
            is_last: false,
        };
        substituter.note_beginnings();
        substituter
    }

    fn note_beginnings(&mut self) {
        self.begins.fill(false);
        for wanted in self.replacements.iter().filter(|wanted| !wanted.is_done) {
            if let Some(first) = wanted.text.first() {
                self.begins[usize::from(*first)] = true;
                self.begins[usize::from(first.to_ascii_uppercase())] = true;
            }
        }
    }

    /// The next part of the body as it is sent; possibly empty. Ask [`Self::go_on`] before the next one.
    pub fn push(&mut self, data: Bytes) -> Bytes {
        if self.held.is_empty() && !data.iter().any(|byte| self.begins[usize::from(*byte)]) {
            return data;
        }
        self.held.extend_from_slice(&data);
        self.scan()
    }

    /// What is left at the end of the body, or its first part.
    pub fn finish(&mut self) -> Bytes {
        self.is_last = true;
        self.scan()
    }

    /// The next part of what was pushed, never empty, if the last one was not all of it.
    pub fn go_on(&mut self) -> Option<Bytes> {
        while self.is_stopped {
            let part = self.scan();
            if !part.is_empty() {
                return Some(part);
            }
        }
        None
    }

    /// Whether all of the body was passed on.
    pub fn is_over(&self) -> bool {
        self.is_last && !self.is_stopped
    }

    fn scan(&mut self) -> Bytes {
        let mut input = std::mem::take(&mut self.held);
        let mut out = BytesMut::with_capacity(input.len().min(LARGEST_PART));
        let mut sent = 0;
        let mut at = 0;
        self.is_stopped = false;
        while let Some(byte) = input.get(at) {
            if !self.begins[usize::from(*byte)] {
                at += 1;
                continue;
            }
            if out.len() >= LARGEST_PART {
                self.is_stopped = true;
                break;
            }
            match self.look(&input[at..]) {
                Here::Nothing => at += 1,
                Here::Open => break,
                Here::Found(number) => {
                    out.extend_from_slice(&input[sent..at]);
                    let wanted = &mut self.replacements[number];
                    out.extend_from_slice(&wanted.by);
                    at += wanted.text.len();
                    sent = at;
                    if self.once {
                        wanted.is_done = true;
                        self.note_beginnings();
                    }
                }
            }
        }
        out.extend_from_slice(&input[sent..at]);
        input.advance(at);
        self.held = input;
        out.freeze()
    }

    fn look(&self, rest: &[u8]) -> Here {
        for (number, wanted) in self.replacements.iter().enumerate() {
            if wanted.is_done {
                continue;
            }
            let known = rest.len().min(wanted.text.len());
            if !rest[..known].eq_ignore_ascii_case(&wanted.text[..known]) {
                continue;
            }
            if known == wanted.text.len() {
                return Here::Found(number);
            }
            if !self.is_last {
                return Here::Open;
            }
        }
        Here::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(pairs: &[(&str, &str)], once: bool, parts: &[&str]) -> String {
        let pairs = pairs.iter().map(|(text, by)| ((*text).into(), (*by).into()));
        let mut substituter = Substituter::new(pairs, once);
        let mut out = Vec::new();
        for part in parts {
            out.extend_from_slice(&substituter.push(Bytes::copy_from_slice(part.as_bytes())));
        }
        out.extend_from_slice(&substituter.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_replaced_wherever_parts_of_the_body_end() {
        let body = "x Hello hell HELLO hel";
        for size in 1..body.len() {
            let parts: Vec<_> = (0..body.len())
                .step_by(size)
                .map(|at| &body[at..(at + size).min(body.len())])
                .collect();
            let pairs = [("hello", "bye"), ("hel", "H")];
            assert_eq!(replaced(&pairs, false, &parts), "x bye Hl bye H", "{size}");
            assert_eq!(replaced(&pairs, true, &parts), "x bye Hl HELLO hel", "{size}");
        }
    }

    #[test]
    fn what_grows_comes_in_parts_of_a_bounded_size() {
        let (body, by) = ("ab".repeat(1000), "x".repeat(4096));
        let mut substituter = Substituter::new([("a".into(), by.clone().into())], false);
        let mut parts = vec![substituter.push(body.clone().into())];
        while let Some(part) = substituter.go_on() {
            parts.push(part);
        }
        assert!(!substituter.is_over());
        assert_eq!((substituter.finish(), substituter.is_over()), (Bytes::new(), true));
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|part| part.len() <= LARGEST_PART + by.len() + 1));
        assert_eq!(parts.concat(), body.replace('a', &by).into_bytes());
    }

    #[test]
    fn a_beginning_that_stays_one_is_sent_at_the_end() {
        assert_eq!(replaced(&[("</head>", "x")], true, &["a<", "/hea"]), "a</hea");
        assert_eq!(replaced(&[("aab", "x")], true, &["aaa", "ab"]), "aax");
    }
}
