//! Groups, options, lookaround, conditions.

use super::{
    super::tree::{Around, Group, Node},
    DEEPEST, Error, Flags, Item, Parser,
};

impl Parser<'_> {
    /// Reads a group; the cursor is at its parenthesis. Comments were skipped before.
    pub(super) fn group(&mut self) -> Result<Item, Error> {
        self.at += 1;
        if self.peek() == Some(b'*') {
            return Err(self.error("verbs are not supported"));
        }
        if !self.skip(b"?") {
            return if self.flags.no_captures { self.plain_group() } else { self.capture(None) };
        }
        let Some(kind) = self.take() else {
            return Err(self.error("group without an end"));
        };
        match kind {
            b':' => self.plain_group(),
            b'>' => self.inside(|node| Node::Atomic(Box::new(node))),
            b'=' | b'!' => self.around(false, kind == b'!'),
            b'<' if self.skip(b"=") => self.around(true, false),
            b'<' if self.skip(b"!") => self.around(true, true),
            b'<' => self.named(b'>'),
            b'\'' => self.named(b'\''),
            b'P' if self.skip(b"<") => self.named(b'>'),
            b'P' if self.skip(b"=") => {
                let group = Group::Name(self.name()?);
                if !self.skip(b")") {
                    return Err(self.error("reference without an end"));
                }
                let fold = self.flags.fold;
                Ok((Node::Reference { group, fold }, true))
            }
            b'(' => self.conditional(),
            b'|' => Err(self.error("branch reset groups are not supported")),
            b'R' | b'0'..=b'9' | b'&' | b'P' | b'+' => {
                Err(self.error("recursion is not supported"))
            }
            b'-' if self.peek().is_some_and(|b| b.is_ascii_digit()) => {
                Err(self.error("recursion is not supported"))
            }
            b'C' | b'*' | b'[' => Err(self.error("group that is not supported")),
            _ => {
                self.at -= 1;
                self.options()
            }
        }
    }

    fn plain_group(&mut self) -> Result<Item, Error> {
        self.inside(|node| node)
    }

    fn capture(&mut self, name: Option<String>) -> Result<Item, Error> {
        self.groups += 1;
        let number = self.groups;
        if let Some(name) = name {
            if self.names.iter().any(|(known, _)| *known == name) {
                return Err(self.error("two groups of one name"));
            }
            self.names.push((name, number));
        }
        self.inside(|node| Node::Capture(number, Box::new(node)))
    }

    fn named(&mut self, close: u8) -> Result<Item, Error> {
        let name = self.name()?;
        if !self.skip(&[close]) {
            return Err(self.error("group name without an end"));
        }
        self.capture(Some(name))
    }

    fn around(&mut self, behind: bool, negative: bool) -> Result<Item, Error> {
        self.arounds += 1;
        let item = self.inside(|node| {
            let node = Box::new(node);
            Node::Around(Around { behind, negative, node })
        });
        self.arounds -= 1;
        if let (true, Ok((Node::Around(around), _))) = (behind, &item) {
            self.check_behind(&around.node)?;
        }
        item
    }

    /// What is looked for behind the position needs a fixed length, alternative by alternative.
    fn check_behind(&self, node: &Node) -> Result<(), Error> {
        let mut refers = false;
        node.references(&mut |_| refers = true);
        if refers {
            return Err(self.error("lookbehind for another group is not supported"));
        }
        for branch in node.branches() {
            let (min, max) = branch.lengths();
            if max != Some(min) {
                return Err(self.error("lookbehind of variable length is not supported"));
            }
        }
        Ok(())
    }

    /// Reads the alternatives of a group and its closing parenthesis, and puts the options back.
    fn alternatives(&mut self) -> Result<Vec<Node>, Error> {
        let flags = self.flags;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("groups are nested too deep"));
        }
        let branches = self.branches()?;
        if !self.skip(b")") {
            return Err(self.error("group without an end"));
        }
        self.depth -= 1;
        self.flags = flags;
        Ok(branches)
    }

    fn inside(&mut self, wrap: impl FnOnce(Node) -> Node) -> Result<Item, Error> {
        let branches = self.alternatives()?;
        Ok((wrap(Node::alternate(branches)), true))
    }

    /// `(?(1)…|…)`, `(?(<name>)…|…)`, `(?(name)…)`: the opening of the condition is read.
    fn conditional(&mut self) -> Result<Item, Error> {
        let group = match self.peek() {
            Some(b'0'..=b'9' | b'+' | b'-') => Group::Number(self.relative_number()?),
            Some(b'<') => self.quoted_name(b'>')?,
            Some(b'\'') => self.quoted_name(b'\'')?,
            _ => {
                let name = self.name()?;
                if name == "DEFINE" || name.starts_with('R') {
                    return Err(self.error("condition that is not supported"));
                }
                Group::Name(name)
            }
        };
        if !self.skip(b")") {
            return Err(self.error("condition that is not supported"));
        }
        let known = match &group {
            Group::Number(number) => *number <= self.groups,
            Group::Name(name) => self.names.iter().any(|(known, _)| known == name),
        };
        if !known {
            return Err(self.error("condition on a later group is not supported"));
        }
        let branches = self.alternatives()?;
        let mut branches = branches.into_iter();
        let parts = [branches.next(), branches.next()].map(|part| part.unwrap_or(Node::Empty));
        if branches.next().is_some() {
            return Err(self.error("condition with more than two parts"));
        }
        let parts = Box::new(parts);
        Ok((Node::Conditional { group, parts }, true))
    }

    fn quoted_name(&mut self, close: u8) -> Result<Group, Error> {
        self.at += 1;
        let name = self.name()?;
        if !self.skip(&[close]) {
            return Err(self.error("group name without an end"));
        }
        Ok(Group::Name(name))
    }

    /// A group name.
    pub(super) fn name(&mut self) -> Result<String, Error> {
        let length =
            self.rest().iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let name = &self.rest()[..length];
        if length > 128 || name.first().is_none_or(u8::is_ascii_digit) {
            return Err(self.error("group name expected"));
        }
        let name = name.iter().copied().map(char::from).collect();
        self.at += length;
        Ok(name)
    }

    /// `(?i)` up to the end of the group around it, or `(?i:…)`.
    fn options(&mut self) -> Result<Item, Error> {
        let mut flags = self.flags;
        let mut on = true;
        let mut hyphen_allowed = true;
        if self.skip(b"^") {
            let lazy = flags.lazy;
            flags = Flags { lazy, ..Flags::default() };
            hyphen_allowed = false;
        }
        loop {
            let Some(letter) = self.take() else {
                return Err(self.error("group without an end"));
            };
            match letter {
                b')' => {
                    self.flags = flags;
                    return Ok((Node::Empty, false));
                }
                b':' => {
                    let outer = std::mem::replace(&mut self.flags, flags);
                    let item = self.plain_group()?;
                    self.flags = outer;
                    return Ok(item);
                }
                b'-' if hyphen_allowed => {
                    on = false;
                    hyphen_allowed = false;
                }
                b'i' => flags.fold = on,
                b'm' => flags.lines = on,
                b's' => flags.dot_newline = on,
                b'U' => flags.lazy = on,
                b'n' => flags.no_captures = on,
                b'x' => {
                    let twice = self.skip(b"x");
                    flags.extended = on;
                    flags.extended_more = on && twice;
                }
                b'a' => {
                    // ASCII-only meanings are all there is
                    let _ = [b'D', b'P', b'S', b'T', b'W'].iter().any(|kind| self.skip(&[*kind]));
                }
                b'r' => {}
                _ => {
                    self.at -= 1;
                    return Err(self.error("option that is unknown or not supported"));
                }
            }
        }
    }
}
