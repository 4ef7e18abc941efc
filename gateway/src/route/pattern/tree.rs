//! The tree of a parsed pattern, and what can be said about it without running it.

use super::bytes::ByteSet;

/// Patterns that would take more positions than this when all repetitions are written out are refused.
pub(crate) const LARGEST: usize = 20_000;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// Matches the empty text.
    Empty,
    /// One byte of the set.
    Set(ByteSet),
    /// A condition on the position.
    Look(Look),
    /// One after the other.
    Concat(Vec<Node>),
    /// The first that leads to a match.
    Alternate(Vec<Node>),
    /// Repetition.
    Repeat(Repeat),
    /// A numbered group.
    Capture(u32, Box<Node>),
    /// Once matched it is not tried otherwise.
    Atomic(Box<Node>),
    /// Lookahead or lookbehind.
    Around(Around),
    /// The text of a group once more.
    Reference {
        /// Which group.
        group: Group,
        /// Without regard to ASCII case.
        fold: bool,
    },
    /// One of two parts, depending on whether a group is set.
    Conditional {
        /// Which group.
        group: Group,
        /// Both parts.
        parts: Box<[Node; 2]>,
    },
}

/// A condition on a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Look {
    /// The start of the text.
    Start,
    /// The start of the text or behind a newline that is not the last byte.
    StartOfLine,
    /// The end of the text.
    End,
    /// The end of the text or before a newline that is the last byte: `$`.
    EndOrLastNewline,
    /// The end of the text or before any newline.
    EndOfLine,
    /// Between a word byte and another.
    Word,
    /// Not so.
    NotWord,
}

/// A repetition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Repeat {
    pub min: u32,
    pub max: Option<u32>,
    pub kind: Kind,
    pub node: Box<Node>,
}

/// How a repetition goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Greedy,
    Lazy,
    Possessive,
}

/// Lookahead or lookbehind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Around {
    pub behind: bool,
    pub negative: bool,
    pub node: Box<Node>,
}

/// How a pattern names a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    Number(u32),
    Name(String),
}

impl Node {
    pub fn concat(mut nodes: Vec<Self>) -> Self {
        match nodes.len() {
            0 => Self::Empty,
            1 => nodes.remove(0),
            _ => Self::Concat(nodes),
        }
    }

    pub fn alternate(mut nodes: Vec<Self>) -> Self {
        match nodes.len() {
            0 => Self::Set(ByteSet::EMPTY),
            1 => nodes.remove(0),
            _ => Self::Alternate(nodes),
        }
    }

    /// Any number of arbitrary bytes: what an unanchored alternative begins with.
    pub fn skip_anything() -> Self {
        Self::Repeat(Repeat {
            min: 0,
            max: None,
            kind: Kind::Greedy,
            node: Box::new(Self::Set(ByteSet::ALL)),
        })
    }

    pub fn children(&self) -> &[Self] {
        match self {
            Self::Empty | Self::Set(_) | Self::Look(_) | Self::Reference { .. } => &[],
            Self::Concat(nodes) | Self::Alternate(nodes) => nodes,
            Self::Repeat(Repeat { node, .. })
            | Self::Capture(_, node)
            | Self::Atomic(node)
            | Self::Around(Around { node, .. }) => std::slice::from_ref(node),
            Self::Conditional { parts, .. } => &parts[..],
        }
    }

    /// Whether linear-time engines can run it.
    pub fn is_regular(&self) -> bool {
        let here = match self {
            Self::Look(look) => !matches!(look, Look::StartOfLine | Look::EndOfLine),
            Self::Repeat(repeat) => repeat.kind != Kind::Possessive,
            Self::Atomic(_)
            | Self::Around(_)
            | Self::Reference { .. }
            | Self::Conditional { .. } => false,
            _ => true,
        };
        here && self.children().iter().all(Self::is_regular)
    }

    /// Its alternatives, or itself.
    pub fn branches(&self) -> &[Self] {
        match self {
            Self::Alternate(nodes) => nodes,
            node => std::slice::from_ref(node),
        }
    }

    /// Whether it (a regular node) matches the empty text at every position.
    pub fn always_matches(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Concat(nodes) => nodes.iter().all(Self::always_matches),
            Self::Alternate(nodes) => nodes.iter().any(Self::always_matches),
            Self::Repeat(repeat) => repeat.min == 0 || repeat.node.always_matches(),
            Self::Capture(_, node) => node.always_matches(),
            _ => false,
        }
    }

    /// Positions when all repetitions are written out; at most [`LARGEST`] + 1.
    pub fn size(&self) -> usize {
        let children = self.children().iter();
        let inner = children.fold(1, |sum, node| (sum + node.size()).min(LARGEST + 1));
        match self {
            Self::Repeat(repeat) => {
                let times = repeat.max.unwrap_or(repeat.min).max(1) as usize;
                inner.saturating_mul(times).min(LARGEST + 1)
            }
            _ => inner,
        }
    }

    /// The least and the most bytes that it takes; `None` if there is no most, or it depends on other groups.
    pub fn lengths(&self) -> (usize, Option<usize>) {
        let sum = |lengths: (usize, Option<usize>), node: &Self| {
            let (min, max) = node.lengths();
            (lengths.0.saturating_add(min), lengths.1.zip(max).map(|(a, b)| a.saturating_add(b)))
        };
        match self {
            Self::Empty | Self::Look(_) | Self::Around(_) => (0, Some(0)),
            Self::Set(_) => (1, Some(1)),
            Self::Reference { .. } => (0, None),
            Self::Concat(nodes) => nodes.iter().fold((0, Some(0)), sum),
            Self::Alternate(nodes) => shortest_and_longest(nodes),
            Self::Conditional { parts, .. } => shortest_and_longest(&parts[..]),
            Self::Capture(_, node) | Self::Atomic(node) => node.lengths(),
            Self::Repeat(repeat) => {
                let (min, max) = repeat.node.lengths();
                let times = |count: u32, length: usize| length.saturating_mul(count as usize);
                (
                    times(repeat.min, min),
                    max.zip(repeat.max).map(|(length, count)| times(count, length)),
                )
            }
        }
    }

    /// Calls `visit` for every reference to a group.
    pub fn references(&self, visit: &mut impl FnMut(&Group)) {
        if let Self::Reference { group, .. } | Self::Conditional { group, .. } = self {
            visit(group);
        }
        for node in self.children() {
            node.references(visit);
        }
    }

    /// A regular node without what only matters to those who want to know how it matches: groups, greed.
    pub fn bare(self) -> Self {
        match self {
            Self::Capture(_, node) => node.bare(),
            Self::Concat(nodes) => {
                let mut flat = Vec::with_capacity(nodes.len());
                for node in nodes {
                    match node.bare() {
                        Self::Concat(inner) => flat.extend(inner),
                        Self::Empty => {}
                        other => flat.push(other),
                    }
                }
                Self::concat(flat)
            }
            Self::Alternate(nodes) => {
                let mut flat = Vec::with_capacity(nodes.len());
                for node in nodes {
                    match node.bare() {
                        Self::Alternate(inner) => flat.extend(inner),
                        other => flat.push(other),
                    }
                }
                Self::alternate(flat)
            }
            Self::Repeat(repeat) => Self::Repeat(Repeat {
                kind: Kind::Greedy,
                node: Box::new(repeat.node.bare()),
                ..repeat
            }),
            other => other,
        }
    }
}

fn shortest_and_longest(nodes: &[Node]) -> (usize, Option<usize>) {
    let lengths = nodes.iter().map(Node::lengths);
    let both = lengths.reduce(|a, b| (a.0.min(b.0), a.1.zip(b.1).map(|(a, b)| a.max(b))));
    both.unwrap_or((0, Some(0)))
}
