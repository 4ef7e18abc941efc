//! Patterns that are not regular, on `fancy-regex` with a step budget.

use std::{fmt::Write as _, panic::AssertUnwindSafe};

use fancy_regex::{BytesMode, RegexBuilder, RegexInput};

use super::{
    Error, Pattern,
    bytes::ByteSet,
    engine::Exhausted,
    tree::{Around, Group, Kind, Look, Node, Repeat},
};

/// Steps back that a search may take (about half a millisecond).
const BACKTRACKS: usize = 50_000;
/// Instructions of a compiled pattern.
const LARGEST_PROGRAM: usize = 50_000;

/// Start and end of the groups of a match.
type Groups = Vec<Option<(usize, usize)>>;

/// A backtracking program.
pub(crate) struct Fancy(fancy_regex::Regex);

impl Fancy {
    /// Compiles a node of a pattern.
    pub fn new(pattern: &Pattern, node: &Node) -> Result<Self, Error> {
        let mut text = String::new();
        let mut writer = Writer { pattern, out: &mut text };
        writer.node(node);
        RegexBuilder::new(&text)
            .bytes_mode(BytesMode::Ascii)
            .backtrack_limit(BACKTRACKS)
            .max_prog_size(LARGEST_PROGRAM)
            .build()
            .map(Self)
            .map_err(|_| Error { at: 0, reason: "pattern that is not supported" })
    }

    /// Whether the pattern matches the path at this very position.
    pub fn matches_at(&self, path: &[u8], at: usize) -> Result<bool, Exhausted> {
        guard(|| {
            let input = RegexInput::new(path).from_pos(at).anchored(true);
            let found = self.0.find_input(input)?;
            Ok(found.is_some_and(|found| found.start() == at))
        })
    }

    /// Whether the pattern matches the path anywhere.
    pub fn matches(&self, path: &[u8]) -> Result<bool, Exhausted> {
        guard(|| self.0.is_match(path))
    }

    /// Start and end of the groups of the leftmost match, in the order of their numbers; the first is the whole.
    pub fn find(&self, path: &[u8]) -> Result<Option<Groups>, Exhausted> {
        guard(|| {
            let found = self.0.captures(path)?;
            Ok(found.map(|groups| {
                let spans =
                    groups.iter().map(|group| group.map(|group| (group.start(), group.end())));
                spans.collect()
            }))
        })
    }
}

/// Runs a search. The engine is the one part of routing that has been seen to panic (on references to a group
/// inside itself, which are now refused): should it do so again the request is refused and the gateway lives.
fn guard<T>(search: impl FnOnce() -> fancy_regex::Result<T>) -> Result<T, Exhausted> {
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(search));
    outcome.map_err(|_| Exhausted)?.map_err(|_| Exhausted)
}

/// Writes a tree in the syntax of `fancy-regex`, with every option spelled out.
struct Writer<'a> {
    pattern: &'a Pattern,
    out: &'a mut String,
}

impl Writer<'_> {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            Node::Set(set) => self.set(*set),
            Node::Look(look) => self.out.push_str(match look {
                Look::Start => r"\A",
                Look::StartOfLine => r"(?:\A|(?<=\n)(?!\z))",
                Look::End => r"\z",
                Look::EndOrLastNewline => r"(?=\n?\z)",
                Look::EndOfLine => r"(?=\n|\z)",
                Look::Word => r"\b",
                Look::NotWord => r"\B",
            }),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.part(node)),
            Node::Alternate(nodes) => self.alternatives(nodes),
            Node::Repeat(repeat) => self.repeat(repeat),
            Node::Capture(_, node) => self.group("(", node),
            Node::Atomic(node) => self.group("(?>", node),
            Node::Around(Around { behind: true, negative, node }) => self.behind(*negative, node),
            Node::Around(Around { negative: false, node, .. }) => self.group("(?=", node),
            Node::Around(Around { negative: true, node, .. }) => self.group("(?!", node),
            Node::Reference { group, fold } => {
                let number = self.number(group);
                let option = if *fold { "i" } else { "" };
                self.write(format_args!("(?{option}:\\{number})"));
            }
            Node::Conditional { group, parts } => {
                let number = self.number(group);
                self.write(format_args!("(?({number})"));
                self.group("(?:", &parts[0]);
                self.out.push('|');
                self.group("(?:", &parts[1]);
                self.out.push(')');
            }
        }
    }

    /// A node that stands beside others.
    fn part(&mut self, node: &Node) {
        match node {
            Node::Alternate(_) => self.group("(?:", node),
            _ => self.node(node),
        }
    }

    fn alternatives(&mut self, nodes: &[Node]) {
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                self.out.push('|');
            }
            self.part(node);
        }
    }

    fn group(&mut self, open: &str, node: &Node) {
        self.out.push_str(open);
        self.node(node);
        self.out.push(')');
    }

    /// One lookbehind for each alternative, so that each has a fixed length.
    fn behind(&mut self, negative: bool, node: &Node) {
        if negative {
            node.branches().iter().for_each(|branch| self.group("(?<!", branch));
            return;
        }
        self.out.push_str("(?>");
        for (index, branch) in node.branches().iter().enumerate() {
            if index > 0 {
                self.out.push('|');
            }
            self.group("(?<=", branch);
        }
        self.out.push(')');
    }

    fn repeat(&mut self, repeat: &Repeat) {
        let Repeat { min, max, kind, node } = repeat;
        if *kind == Kind::Possessive {
            self.out.push_str("(?>");
        }
        self.group("(?:", node);
        match max {
            Some(max) => self.write(format_args!("{{{min},{max}}}")),
            None => self.write(format_args!("{{{min},}}")),
        }
        self.out.push_str(match kind {
            Kind::Greedy => "",
            Kind::Lazy => "?",
            Kind::Possessive => ")",
        });
    }

    fn set(&mut self, set: ByteSet) {
        match set.ranges().as_slice() {
            [] => self.out.push_str("(?!)"),
            [(byte, last)] if byte == last => self.write(format_args!("\\x{byte:02x}")),
            ranges => {
                self.out.push('[');
                for (first, last) in ranges {
                    self.write(format_args!("\\x{first:02x}-\\x{last:02x}"));
                }
                self.out.push(']');
            }
        }
    }

    fn number(&self, group: &Group) -> u32 {
        match group {
            Group::Number(number) => *number,
            // the parser made sure that it exists
            Group::Name(name) => self.pattern.group(name).unwrap_or(0),
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }
}
