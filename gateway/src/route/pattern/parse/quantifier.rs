//! Quantifiers: how often an item is repeated, and how greedily.

use super::{
    super::{
        Error,
        tree::{Kind, Node, Repeat},
    },
    Parser, trim_blanks,
};

/// Highest number in a `{n,m}`.
const HIGHEST_COUNT: u32 = 65_535;

impl Parser<'_> {
    /// Wraps a node in the quantifier that follows it, if any.
    pub(super) fn quantified(&mut self, node: Node, quantifiable: bool) -> Result<Node, Error> {
        self.skip_nothings()?;
        if self.quoted {
            return Ok(node);
        }
        let start = self.at;
        let (min, max) = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => match self.counts()? {
                Some((min, max, end)) => {
                    self.at = end - 1;
                    (min, max)
                }
                None => return Ok(node),
            },
            _ => return Ok(node),
        };
        if !quantifiable {
            self.at = start;
            return Err(self.error("quantifier without anything to repeat"));
        }
        self.at += 1;
        self.skip_nothings()?;
        let kind = match self.peek().filter(|_| !self.quoted) {
            Some(b'+') => Kind::Possessive,
            Some(b'?') if self.flags.lazy => Kind::Greedy,
            Some(b'?') => Kind::Lazy,
            _ if self.flags.lazy => Kind::Lazy,
            _ => Kind::Greedy,
        };
        if !self.quoted && matches!(self.peek(), Some(b'+' | b'?')) {
            self.at += 1;
        }
        self.no_second_quantifier()?;
        Ok(match (node, min, max) {
            (node, 1, Some(1)) if kind != Kind::Possessive => node,
            (Node::Around(around), _, _) => Node::Repeat(Repeat {
                // repeating an assertion changes nothing
                min: min.min(1),
                max: Some(1),
                kind,
                node: Box::new(Node::Around(around)),
            }),
            (node, min, max) => Node::Repeat(Repeat { min, max, kind, node: Box::new(node) }),
        })
    }

    fn no_second_quantifier(&mut self) -> Result<(), Error> {
        self.skip_nothings()?;
        let another = match self.peek().filter(|_| !self.quoted) {
            Some(b'*' | b'+' | b'?') => true,
            Some(b'{') => self.counts()?.is_some(),
            _ => false,
        };
        if another {
            return Err(self.error("quantifier without anything to repeat"));
        }
        Ok(())
    }

    /// Reads `{n}`, `{n,}`, `{n,m}` or `{,m}` without going past it: the counts and where it ends. Spaces are
    /// allowed around the numbers. Anything else that begins with a brace is literal text.
    pub(super) fn counts(&self) -> Result<Option<(u32, Option<u32>, usize)>, Error> {
        let body = &self.rest()[1..];
        let Some(end) = memchr::memchr(b'}', body) else {
            return Ok(None);
        };
        let mut parts = body[..end].splitn(2, |&b| b == b',').map(trim_blanks);
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        let numbers = match second {
            None => !first.is_empty() && digits(first),
            Some(second) => {
                digits(first) && digits(second) && !(first.is_empty() && second.is_empty())
            }
        };
        if !numbers {
            return Ok(None);
        }
        let min = self.count(first)?.unwrap_or(0);
        let max = match second {
            None => Some(min),
            Some(second) => self.count(second)?,
        };
        if max.is_some_and(|max| max < min) {
            return Err(self.error("numbers out of order in a quantifier"));
        }
        Ok(Some((min, max, self.at + 1 + end + 1)))
    }

    fn count(&self, digits: &[u8]) -> Result<Option<u32>, Error> {
        if digits.is_empty() {
            return Ok(None);
        }
        let value = digits.iter().try_fold(0_u32, |value, digit| {
            let value = value * 10 + u32::from(digit - b'0');
            (value <= HIGHEST_COUNT).then_some(value)
        });
        match value {
            Some(value) => Ok(Some(value)),
            None => Err(self.error("number too big in a quantifier")),
        }
    }
}
