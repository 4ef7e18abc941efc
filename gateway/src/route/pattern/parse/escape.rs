//! Backslash escapes.

use super::{
    super::{
        bytes::ByteSet,
        tree::{Group, Look, Node},
    },
    Error, Item, Parser,
};

pub(super) const DIGIT: ByteSet = ByteSet::range(b'0', b'9');
pub(super) const WORD: ByteSet = DIGIT
    .union(ByteSet::range(b'a', b'z'))
    .union(ByteSet::range(b'A', b'Z'))
    .union(ByteSet::of(b"_"));
pub(super) const SPACE: ByteSet = ByteSet::of(b"\t\n\x0b\x0c\r ");
const HORIZONTAL: ByteSet = ByteSet::of(b"\t \xA0");
const VERTICAL: ByteSet = ByteSet::of(b"\n\x0b\x0c\r\x85");

/// What an escape means in and outside of classes.
pub(super) enum Escape {
    /// One byte, to be folded.
    Byte(u8),
    /// A set that case does not change.
    Set(ByteSet),
    /// A letter that means something else outside of classes; it is already read.
    Letter(u8),
    /// A digit other than `0`; it is not yet read.
    Digit,
}

impl Parser<'_> {
    /// Reads an escape up to where its meaning depends on the surroundings.
    pub(super) fn common_escape(&mut self) -> Result<Escape, Error> {
        self.at += 1;
        let Some(byte) = self.take() else {
            return Err(self.error("backslash at the end"));
        };
        Ok(match byte {
            b'd' => Escape::Set(DIGIT),
            b'D' => Escape::Set(DIGIT.negated()),
            b'w' => Escape::Set(WORD),
            b'W' => Escape::Set(WORD.negated()),
            b's' => Escape::Set(SPACE),
            b'S' => Escape::Set(SPACE.negated()),
            b'h' => Escape::Set(HORIZONTAL),
            b'H' => Escape::Set(HORIZONTAL.negated()),
            b'v' => Escape::Set(VERTICAL),
            b'V' => Escape::Set(VERTICAL.negated()),
            b'a' => Escape::Byte(0x07),
            b'e' => Escape::Byte(0x1B),
            b'f' => Escape::Byte(0x0C),
            b'n' => Escape::Byte(b'\n'),
            b'r' => Escape::Byte(b'\r'),
            b't' => Escape::Byte(b'\t'),
            b'c' => match self.take() {
                Some(control @ b' '..=b'~') => Escape::Byte(control.to_ascii_uppercase() ^ 0x40),
                _ => return Err(self.error("\\c needs a printable ASCII character")),
            },
            b'x' => Escape::Byte(self.hexadecimal()?),
            b'o' => Escape::Byte(self.braced(8)?),
            b'0' => {
                self.at -= 1;
                Escape::Byte(self.octal()?)
            }
            b'1'..=b'9' => {
                self.at -= 1;
                Escape::Digit
            }
            letter if letter.is_ascii_alphabetic() => Escape::Letter(letter),
            other => Escape::Byte(other),
        })
    }

    /// An escape outside of classes.
    pub(super) fn escape(&mut self) -> Result<Item, Error> {
        let start = self.at;
        Ok(match self.common_escape()? {
            Escape::Byte(byte) => (self.literal(byte), true),
            Escape::Set(set) => (Node::Set(set), true),
            Escape::Digit => self.reference_or_octal()?,
            Escape::Letter(letter) => match letter {
                b'A' | b'G' => (Node::Look(Look::Start), false),
                b'Z' => (Node::Look(Look::EndOrLastNewline), false),
                b'z' => (Node::Look(Look::End), false),
                b'b' => (Node::Look(Look::Word), false),
                b'B' => (Node::Look(Look::NotWord), false),
                // moves the start of the match, which nobody asks for
                b'K' if self.arounds == 0 => (Node::Empty, false),
                b'C' => (Node::Set(ByteSet::ALL), true),
                b'N' => {
                    if self.peek() == Some(b'{') && self.counts()?.is_none() {
                        return Err(self.error("character names are not supported"));
                    }
                    (Node::Set(ByteSet::of(b"\n").negated()), true)
                }
                b'R' => (any_newline(), true),
                b'g' | b'k' => (self.reference(letter)?, true),
                _ => {
                    self.at = start;
                    return Err(self.error("escape that is unknown or not supported"));
                }
            },
        })
    }

    /// `\1`, `\12`: a group if it is below 10, begins with 8 or 9, or exists so far; else an octal byte.
    fn reference_or_octal(&mut self) -> Result<Item, Error> {
        let start = self.at;
        let first = self.peek();
        let number = self.number();
        if number < 10 || number <= self.groups || matches!(first, Some(b'8' | b'9')) {
            return Ok((self.numbered(number), true));
        }
        self.at = start;
        let byte = self.octal()?;
        Ok((self.literal(byte), true))
    }

    /// Reads digits; what does not fit becomes a number that no group has.
    pub(super) fn number(&mut self) -> u32 {
        let mut value = 0_u32;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
            self.at += 1;
        }
        value
    }

    fn numbered(&self, number: u32) -> Node {
        Node::Reference { group: Group::Number(number), fold: self.flags.fold }
    }

    /// What follows `\g` or `\k`.
    fn reference(&mut self, letter: u8) -> Result<Node, Error> {
        let close = match self.peek() {
            Some(b'{') => b'}',
            Some(b'<') if letter == b'k' => b'>',
            Some(b'\'') if letter == b'k' => b'\'',
            Some(b'0'..=b'9' | b'-' | b'+') if letter == b'g' => {
                let number = self.relative_number()?;
                return Ok(self.numbered(number));
            }
            Some(b'<' | b'\'') => return Err(self.error("subroutine calls are not supported")),
            _ => return Err(self.error("\\g or \\k without a group")),
        };
        self.at += 1;
        let braced = close == b'}';
        self.skip_blanks_if(braced);
        let group = if letter == b'g' && matches!(self.peek(), Some(b'0'..=b'9' | b'-' | b'+')) {
            Group::Number(self.relative_number()?)
        } else {
            Group::Name(self.name()?)
        };
        self.skip_blanks_if(braced);
        if !self.skip(&[close]) {
            return Err(self.error("reference without an end"));
        }
        Ok(Node::Reference { group, fold: self.flags.fold })
    }

    fn skip_blanks_if(&mut self, yes: bool) {
        while yes && matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// A group number, or one relative to the groups so far.
    pub(super) fn relative_number(&mut self) -> Result<u32, Error> {
        let sign = self.peek();
        if matches!(sign, Some(b'+' | b'-')) {
            self.at += 1;
        }
        if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return Err(self.error("number expected"));
        }
        let number = self.number();
        let group = match sign {
            Some(b'+') if number > 0 => self.groups.saturating_add(number),
            Some(b'-') if number > 0 => (self.groups + 1).saturating_sub(number),
            Some(b'+' | b'-') => 0,
            _ => number,
        };
        if group == 0 {
            return Err(self.error("reference to a group that does not exist"));
        }
        Ok(group)
    }

    /// Up to three octal digits.
    fn octal(&mut self) -> Result<u8, Error> {
        let mut value = 0_u32;
        for _ in 0..3 {
            let Some(digit @ b'0'..=b'7') = self.peek() else { break };
            value = value * 8 + u32::from(digit - b'0');
            self.at += 1;
        }
        u8::try_from(value).map_err(|_| self.error("octal value is no byte"))
    }

    /// Octal in a class; there 8 and 9 stand for themselves.
    pub(super) fn octal_or_digit(&mut self) -> Result<u8, Error> {
        match self.peek() {
            Some(digit @ (b'8' | b'9')) => {
                self.at += 1;
                Ok(digit)
            }
            _ => self.octal(),
        }
    }

    /// What follows `\x`: `{hh}`, or one or two digits.
    fn hexadecimal(&mut self) -> Result<u8, Error> {
        if self.peek() == Some(b'{') {
            return self.braced(16);
        }
        let mut value = None;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                break;
            };
            // two hexadecimal digits fit
            value = Some(value.unwrap_or(0) << 4 | digit as u8);
            self.at += 1;
        }
        value.ok_or_else(|| self.error("\\x without digits"))
    }

    fn braced(&mut self, radix: u32) -> Result<u8, Error> {
        if !self.skip(b"{") {
            return Err(self.error("brace expected"));
        }
        let Some(end) = memchr::memchr(b'}', self.rest()) else {
            return Err(self.error("character code without an end"));
        };
        let digits = super::trim_blanks(&self.rest()[..end]);
        let value = digits.iter().try_fold(0_u32, |value, &digit| {
            let value = value * radix + char::from(digit).to_digit(radix)?;
            (value <= 0xFF).then_some(value)
        });
        let value = value.filter(|_| !digits.is_empty()).and_then(|value| u8::try_from(value).ok());
        self.at += end + 1;
        value.ok_or_else(|| self.error("character code is no byte"))
    }
}

/// `\R`: any newline sequence; CR and LF are not torn apart.
fn any_newline() -> Node {
    let byte = |b: u8| Node::Set(ByteSet::of(&[b]));
    Node::Atomic(Box::new(Node::Alternate(vec![
        Node::Concat(vec![byte(b'\r'), byte(b'\n')]),
        Node::Set(VERTICAL),
    ])))
}
