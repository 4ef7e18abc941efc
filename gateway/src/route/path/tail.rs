//! What has to match behind the literal text that a pattern begins with.

use std::sync::OnceLock;

use crate::route::pattern::{
    bytes::ByteSet,
    engine::{Exhausted, Matcher},
    hir::{LAST_NEWLINE, subject_set},
    tree::{Look, Node, Repeat},
};

/// A regular rest of a pattern. Most are one of a few simple kinds.
pub(super) enum Tail {
    /// One more byte of a set.
    Byte(ByteSet),
    /// One more byte of a set, or the end: `(/|$)`.
    ByteOrEnd(ByteSet),
    /// The end: `$`.
    End,
    /// Anything else.
    Engine(Box<Engine>),
}

/// A rest and its engine, which is built when it is first needed: most tables have many that never are.
pub(super) struct Engine {
    node: Node,
    /// What its first byte can be; all if it can match the empty text.
    first: ByteSet,
    matcher: OnceLock<Option<Matcher>>,
}

impl Tail {
    pub fn new(node: Node) -> Self {
        match &node {
            Node::Set(set) => Self::Byte(subject_set(*set)),
            Node::Look(Look::EndOrLastNewline) => Self::End,
            Node::Alternate(nodes) => match nodes.as_slice() {
                [Node::Set(set), Node::Look(Look::EndOrLastNewline)]
                | [Node::Look(Look::EndOrLastNewline), Node::Set(set)] => {
                    Self::ByteOrEnd(subject_set(*set))
                }
                _ => Self::Engine(Box::new(Engine::new(node))),
            },
            _ => Self::Engine(Box::new(Engine::new(node))),
        }
    }

    /// Whether it matches the subject at a position.
    pub fn matches_at(&self, subject: &[u8], at: usize) -> Result<bool, Exhausted> {
        let next = subject.get(at).copied();
        Ok(match self {
            Self::Byte(set) => next.is_some_and(|byte| set.contains(byte)),
            Self::ByteOrEnd(set) => {
                next.is_none_or(|byte| set.contains(byte) || byte == LAST_NEWLINE)
            }
            Self::End => next.is_none_or(|byte| byte == LAST_NEWLINE),
            Self::Engine(engine) => {
                return engine.matches_at(subject, at, next);
            }
        })
    }
}

impl Engine {
    fn new(node: Node) -> Self {
        let (first, empty) = first_bytes(&node);
        let first = if empty { ByteSet::ALL } else { subject_set(first) };
        Self { first, node, matcher: OnceLock::new() }
    }

    fn matches_at(&self, subject: &[u8], at: usize, next: Option<u8>) -> Result<bool, Exhausted> {
        if next.is_some_and(|byte| !self.first.contains(byte)) {
            return Ok(false);
        }
        let matcher = self.matcher.get_or_init(|| Matcher::new(&self.node));
        // the size of patterns is limited, so there is an engine
        matcher.as_ref().ok_or(Exhausted)?.matches_at(subject, at)
    }
}

/// What the first byte of a regular node can be, and whether it can match the empty text (conditions apart).
fn first_bytes(node: &Node) -> (ByteSet, bool) {
    match node {
        Node::Set(set) => (*set, false),
        Node::Concat(nodes) => {
            let mut first = ByteSet::EMPTY;
            for node in nodes {
                let (bytes, empty) = first_bytes(node);
                first = first.union(bytes);
                if !empty {
                    return (first, false);
                }
            }
            (first, true)
        }
        Node::Alternate(nodes) => nodes
            .iter()
            .map(first_bytes)
            .fold((ByteSet::EMPTY, false), |a, b| (a.0.union(b.0), a.1 || b.1)),
        Node::Repeat(Repeat { min, node, .. }) => {
            let (bytes, empty) = first_bytes(node);
            (bytes, empty || *min == 0)
        }
        Node::Capture(_, node) => first_bytes(node),
        _ => (ByteSet::EMPTY, true),
    }
}
