//! Bracketed classes.

use super::{
    super::bytes::ByteSet,
    Error, Parser,
    escape::{DIGIT, Escape, SPACE, WORD},
};

/// What came before in a class, as far as a hyphen cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A complete range or nothing.
    Nothing,
    /// A byte that may begin a range.
    Byte(u8),
    /// A byte and a hyphen.
    Range(u8),
    /// A set such as `\d`; a hyphen behind it has to be the last.
    Set,
    /// A set and a hyphen.
    SetHyphen,
}

/// One member of a class.
enum Member {
    /// A byte, and whether it is written as it is.
    Byte(u8, bool),
    Set(ByteSet),
}

impl Parser<'_> {
    /// Reads a class; the cursor is at its bracket.
    pub(super) fn class(&mut self) -> Result<ByteSet, Error> {
        if matches!(self.rest(), [b'[', b':' | b'.' | b'=', ..]) && self.posix_end().is_some() {
            return Err(self.error("POSIX class outside of a class"));
        }
        self.at += 1;
        let negated = self.class_start();
        let mut set = ByteSet::EMPTY;
        let mut before = Before::Nothing;
        let mut first = true;
        while let Some(member) = self.member(first)? {
            first = false;
            before = self.add(&mut set, before, member)?;
        }
        match before {
            Before::Range(byte) => {
                set.insert(byte);
                set.insert(b'-');
            }
            Before::SetHyphen => set.insert(b'-'),
            Before::Byte(byte) => set.insert(byte),
            Before::Nothing | Before::Set => {}
        }
        let set = self.fold(set);
        Ok(if negated { set.negated() } else { set })
    }

    /// Skips what may stand before the first member and says whether the class is negated.
    fn class_start(&mut self) -> bool {
        let mut negated = false;
        loop {
            if self.skip(b"\\E") || self.skip(b"\\Q\\E") {
                continue;
            }
            match self.peek() {
                Some(b' ' | b'\t') if self.flags.extended_more => self.at += 1,
                Some(b'^') if !negated => {
                    negated = true;
                    self.at += 1;
                }
                _ => return negated,
            }
        }
    }

    /// The next member; none at the closing bracket.
    fn member(&mut self, first: bool) -> Result<Option<Member>, Error> {
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.error("class without an end"));
            };
            if self.skip(b"\\E") {
                self.quoted = false;
                continue;
            }
            if self.quoted {
                self.at += 1;
                return Ok(Some(Member::Byte(byte, false)));
            }
            if self.skip(b"\\Q") {
                self.quoted = true;
                continue;
            }
            return match byte {
                b' ' | b'\t' if self.flags.extended_more => {
                    self.at += 1;
                    continue;
                }
                b']' if !first => {
                    self.at += 1;
                    Ok(None)
                }
                b'[' if matches!(self.rest(), [_, b':' | b'.' | b'=', ..]) => {
                    self.posix().map(Some)
                }
                b'\\' => self.class_escape().map(Some),
                _ => {
                    self.at += 1;
                    Ok(Some(Member::Byte(byte, true)))
                }
            };
        }
    }

    fn add(&self, set: &mut ByteSet, before: Before, member: Member) -> Result<Before, Error> {
        let bad_range = || Err(self.error("invalid range in a class"));
        match (before, member) {
            (Before::Range(_) | Before::SetHyphen, Member::Set(_)) => bad_range(),
            (Before::SetHyphen, Member::Byte(..)) => bad_range(),
            (Before::Range(low), Member::Byte(high, _)) => {
                if high < low {
                    return Err(self.error("range out of order in a class"));
                }
                *set = set.union(ByteSet::range(low, high));
                Ok(Before::Nothing)
            }
            (Before::Byte(low), Member::Byte(b'-', true)) => Ok(Before::Range(low)),
            (Before::Set, Member::Byte(b'-', true)) => Ok(Before::SetHyphen),
            (before, member) => {
                if let Before::Byte(byte) = before {
                    set.insert(byte);
                }
                Ok(match member {
                    Member::Byte(byte, _) => Before::Byte(byte),
                    Member::Set(members) => {
                        *set = set.union(members);
                        Before::Set
                    }
                })
            }
        }
    }

    fn class_escape(&mut self) -> Result<Member, Error> {
        let start = self.at;
        Ok(match self.common_escape()? {
            Escape::Byte(byte) => Member::Byte(byte, false),
            Escape::Set(set) => Member::Set(set),
            Escape::Digit => Member::Byte(self.octal_or_digit()?, false),
            Escape::Letter(b'b') => Member::Byte(0x08, false),
            Escape::Letter(letter @ (b'g' | b'k')) => Member::Byte(letter, false),
            Escape::Letter(_) => {
                self.at = start;
                return Err(self.error("escape that is unknown or not supported in a class"));
            }
        })
    }

    /// Where the name of a POSIX class at the cursor ends, if it is one.
    fn posix_end(&self) -> Option<usize> {
        let mark = *self.rest().get(1)?;
        let mut at = self.at + 2;
        while let [byte, next, ..] = self.text[at..] {
            if byte == b'\\' && matches!(next, b']' | b'\\') {
                at += 2;
                continue;
            }
            if byte == mark && next == b']' {
                return Some(at);
            }
            if byte == b']' || byte == b'[' && next == mark {
                return None;
            }
            at += 1;
        }
        None
    }

    /// `[:name:]`, or a bracket that is just a bracket.
    fn posix(&mut self) -> Result<Member, Error> {
        let Some(end) = self.posix_end() else {
            self.at += 1;
            return Ok(Member::Byte(b'[', true));
        };
        let (mark, name) = (self.text[self.at + 1], &self.text[self.at + 2..end]);
        let (negated, name) = name.strip_prefix(b"^").map_or((false, name), |name| (true, name));
        let set = posix_class(name, self.flags.fold).filter(|_| mark == b':');
        let Some(set) = set else {
            return Err(self.error("unknown POSIX class"));
        };
        self.at = end + 2;
        Ok(Member::Set(if negated { set.negated() } else { set }))
    }
}

/// The classes of the C locale. Without regard to case `lower` and `upper` are both `alpha`.
fn posix_class(name: &[u8], fold: bool) -> Option<ByteSet> {
    const LOWER: ByteSet = ByteSet::range(b'a', b'z');
    const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
    const GRAPH: ByteSet = ByteSet::range(b'!', b'~');
    Some(match name {
        b"alpha" => LOWER.union(UPPER),
        b"lower" | b"upper" if fold => LOWER.union(UPPER),
        b"lower" => LOWER,
        b"upper" => UPPER,
        b"alnum" => LOWER.union(UPPER).union(DIGIT),
        b"ascii" => ByteSet::range(0, 0x7F),
        b"blank" => ByteSet::of(b"\t "),
        b"cntrl" => ByteSet::range(0, 0x1F).union(ByteSet::of(&[0x7F])),
        b"digit" => DIGIT,
        b"graph" => GRAPH,
        b"print" => GRAPH.union(ByteSet::of(b" ")),
        b"punct" => {
            let mut set = GRAPH;
            for byte in GRAPH.iter().filter(u8::is_ascii_alphanumeric) {
                set.remove(byte);
            }
            set
        }
        b"space" => SPACE,
        b"word" => WORD,
        b"xdigit" => DIGIT.union(ByteSet::range(b'a', b'f')).union(ByteSet::range(b'A', b'F')),
        _ => return None,
    })
}
