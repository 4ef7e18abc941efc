//! The parser: alternatives and items. Quantifiers, groups, escapes and classes have files of their own.

mod class;
mod escape;
mod group;
mod quantifier;

use super::{
    Error, Pattern,
    bytes::ByteSet,
    tree::{Group, LARGEST, Look, Node},
};

/// Groups may be nested this deep, as in PCRE2.
const DEEPEST: u32 = 250;

/// Parses a text; `fold` if case does not count in it.
pub(super) fn parse(text: &[u8], fold: bool) -> Result<Pattern, Error> {
    let mut parser = Parser {
        text,
        at: 0,
        quoted: false,
        flags: Flags { fold, ..Flags::default() },
        depth: 0,
        arounds: 0,
        groups: 0,
        names: Vec::new(),
    };
    let branches = parser.branches()?;
    if parser.at < text.len() {
        return Err(parser.error("unmatched closing parenthesis"));
    }
    let pattern =
        Pattern { node: Node::alternate(branches), groups: parser.groups, names: parser.names };
    let mut dangling = false;
    pattern.node.references(&mut |group| {
        dangling |= match group {
            Group::Number(number) => *number > pattern.groups,
            Group::Name(name) => pattern.group(name).is_none(),
        };
    });
    let inside_itself = refers_to_itself(&pattern, &pattern.node, &mut Vec::new());
    let whole = |reason| Err(Error { at: text.len(), reason });
    if dangling {
        return whole("reference to a group that does not exist");
    }
    if inside_itself {
        return whole("reference to a group inside that group is not supported");
    }
    if pattern.node.size() > LARGEST {
        return whole("pattern is too large");
    }
    Ok(pattern)
}

/// Whether a group refers to itself, `open` being the groups around the node.
fn refers_to_itself(pattern: &Pattern, node: &Node, open: &mut Vec<u32>) -> bool {
    let number = match node {
        Node::Reference { group, .. } | Node::Conditional { group, .. } => match group {
            Group::Number(number) => Some(*number),
            Group::Name(name) => pattern.group(name),
        },
        _ => None,
    };
    if let Node::Capture(number, _) = node {
        open.push(*number);
    }
    let found = number.is_some_and(|number| open.contains(&number))
        || node.children().iter().any(|child| refers_to_itself(pattern, child, open));
    if let Node::Capture(..) = node {
        open.pop();
    }
    found
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    /// Between `\Q` and `\E`.
    quoted: bool,
    flags: Flags,
    depth: u32,
    /// Lookarounds around the cursor.
    arounds: u32,
    groups: u32,
    names: Vec<(String, u32)>,
}

/// The options that a pattern can change within itself.
#[derive(Clone, Copy, Default)]
struct Flags {
    /// `i`
    fold: bool,
    /// `m`
    lines: bool,
    /// `s`
    dot_newline: bool,
    /// `x`
    extended: bool,
    /// `xx`
    extended_more: bool,
    /// `U`
    lazy: bool,
    /// `n`
    no_captures: bool,
}

/// An item and whether a quantifier may follow it.
type Item = (Node, bool);

impl Parser<'_> {
    fn error(&self, reason: &'static str) -> Error {
        Error { at: self.at, reason }
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self, text: &[u8]) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Alternatives up to a closing parenthesis or the end.
    fn branches(&mut self) -> Result<Vec<Node>, Error> {
        let mut branches = vec![self.branch()?];
        while !self.quoted && self.skip(b"|") {
            branches.push(self.branch()?);
        }
        Ok(branches)
    }

    fn branch(&mut self) -> Result<Node, Error> {
        let mut nodes = Vec::new();
        loop {
            self.skip_nothings()?;
            let Some(byte) = self.peek() else { break };
            if !self.quoted && matches!(byte, b'|' | b')') {
                break;
            }
            let (node, quantifiable) = self.item(byte)?;
            let node = self.quantified(node, quantifiable)?;
            if node != Node::Empty {
                nodes.push(node);
            }
        }
        Ok(Node::concat(nodes))
    }

    /// Skips what stands for nothing: comments, ends of quotations, white space in extended mode.
    fn skip_nothings(&mut self) -> Result<(), Error> {
        loop {
            if self.skip(b"\\E") {
                self.quoted = false;
            } else if self.quoted {
                return Ok(());
            } else if self.skip(b"\\Q") {
                self.quoted = true;
            } else if self.rest().starts_with(b"(?#") {
                let end = memchr::memchr(b')', self.rest());
                self.at += end.ok_or_else(|| self.error("comment without an end"))? + 1;
            } else if self.flags.extended && self.peek().is_some_and(is_space) {
                self.at += 1;
            } else if self.flags.extended && self.skip(b"#") {
                let end = memchr::memchr(b'\n', self.rest());
                self.at += end.map_or(self.rest().len(), |end| end + 1);
            } else {
                return Ok(());
            }
        }
    }

    fn item(&mut self, byte: u8) -> Result<Item, Error> {
        if self.quoted {
            self.at += 1;
            return Ok((self.literal(byte), true));
        }
        match byte {
            b'\\' => self.escape(),
            b'(' => self.group(),
            b'[' => Ok((Node::Set(self.class()?), true)),
            b'*' | b'+' | b'?' => Err(self.error("quantifier without anything to repeat")),
            b'{' if self.counts()?.is_some() => {
                Err(self.error("quantifier without anything to repeat"))
            }
            b'^' | b'$' => {
                self.at += 1;
                let look = match (byte, self.flags.lines) {
                    (b'^', false) => Look::Start,
                    (b'^', true) => Look::StartOfLine,
                    (_, false) => Look::EndOrLastNewline,
                    (_, true) => Look::EndOfLine,
                };
                Ok((Node::Look(look), false))
            }
            b'.' => {
                self.at += 1;
                let newline = ByteSet::of(if self.flags.dot_newline { b"" } else { b"\n" });
                Ok((Node::Set(newline.negated()), true))
            }
            _ => {
                self.at += 1;
                Ok((self.literal(byte), true))
            }
        }
    }

    fn literal(&self, byte: u8) -> Node {
        Node::Set(self.fold(ByteSet::of(&[byte])))
    }

    fn fold(&self, set: ByteSet) -> ByteSet {
        if self.flags.fold { set.folded() } else { set }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0x85)
}

fn trim_blanks(text: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = text.iter().position(|b| !blank(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !blank(b)).map_or(start, |at| at + 1);
    &text[start..end]
}
