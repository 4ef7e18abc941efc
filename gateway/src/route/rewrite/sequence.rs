//! Patterns that can be followed byte by byte without ever going back: literal text, sets and their greedy
//! repetitions, `(/|$)`, `$`, an optional rest, and groups around these.
//!
//! A repetition is only taken in if nothing behind it could begin with a byte that it takes, or if what is behind it
//! matches anyway; then the greedy way is the one that a backtracking engine would find.

use smallvec::smallvec;

use super::search::Captures;
use crate::route::pattern::{
    Pattern,
    bytes::ByteSet,
    tree::{Kind, Look, Node, Repeat},
};

/// A pattern as a straight line of steps.
#[derive(Debug)]
pub(super) struct Sequence {
    steps: Box<[Step]>,
    groups: usize,
}

#[derive(Debug)]
enum Step {
    /// This text, in lower case, without regard to case.
    Text(Box<[u8]>),
    /// As many bytes of the set as there are.
    Span {
        set: Box<ByteSet>,
        min: u32,
        max: Option<u32>,
    },
    /// A byte of the set, or the end.
    ByteOrEnd(Box<ByteSet>),
    End,
    /// The next steps, this many, are left out unless the next byte is in the set.
    Optional(Box<ByteSet>, usize),
    Open(u32),
    Close(u32),
}

impl Sequence {
    /// The steps of a pattern, if it is of this kind.
    pub fn new(pattern: &Pattern) -> Option<Self> {
        let mut builder =
            Builder { steps: Vec::new(), after: After { first: ByteSet::EMPTY, always: true } };
        builder.put(&pattern.node)?;
        builder.steps.reverse();
        Some(Self { steps: builder.steps.into(), groups: pattern.groups as usize })
    }

    /// The groups of a match at the start of the path.
    pub fn find(&self, path: &[u8]) -> Option<Captures> {
        let mut captures: Captures = smallvec![None; self.groups + 1];
        let mut at = 0;
        let mut step = 0;
        let is_end = |at: usize| matches!(path[at..], [] | [b'\n']);
        while let Some(current) = self.steps.get(step) {
            step += 1;
            match current {
                Step::Text(text) => {
                    let part = path.get(at..at + text.len())?;
                    if !part.eq_ignore_ascii_case(text) {
                        return None;
                    }
                    at += text.len();
                }
                Step::Span { set, min, max } => {
                    let most = max
                        .map_or(path.len(), |max| at.saturating_add(max as usize).min(path.len()));
                    let taken =
                        path[at..most].iter().take_while(|byte| set.contains(**byte)).count();
                    if taken < *min as usize {
                        return None;
                    }
                    at += taken;
                }
                Step::ByteOrEnd(set) => match path.get(at) {
                    Some(byte) if set.contains(*byte) => at += 1,
                    _ if is_end(at) => {}
                    _ => return None,
                },
                Step::End if is_end(at) => {}
                Step::End => return None,
                Step::Optional(set, length) => {
                    if !path.get(at).is_some_and(|byte| set.contains(*byte)) {
                        step += length;
                    }
                }
                Step::Open(group) => captures[*group as usize] = Some((at, at)),
                Step::Close(group) => {
                    if let Some((_, end)) = &mut captures[*group as usize] {
                        *end = at;
                    }
                }
            }
        }
        Some(captures)
    }
}

/// Puts steps down from the last to the first.
struct Builder {
    steps: Vec<Step>,
    after: After,
}

/// What is known about the steps behind the one in work.
#[derive(Clone, Copy)]
struct After {
    /// What they can begin with.
    first: ByteSet,
    /// They match whatever comes.
    always: bool,
}

impl Builder {
    fn put(&mut self, node: &Node) -> Option<()> {
        match node {
            Node::Empty => {}
            Node::Concat(nodes) => nodes.iter().rev().try_for_each(|node| self.put(node))?,
            Node::Set(set) => self.byte(*set),
            Node::Repeat(repeat) => self.repeat(repeat)?,
            Node::Capture(group, node) => {
                self.steps.push(Step::Close(*group));
                self.put(node)?;
                self.steps.push(Step::Open(*group));
            }
            Node::Look(Look::EndOrLastNewline) => {
                self.end();
                self.steps.push(Step::End);
            }
            Node::Alternate(nodes) => match nodes.as_slice() {
                [Node::Set(set), Node::Look(Look::EndOrLastNewline)]
                | [Node::Look(Look::EndOrLastNewline), Node::Set(set)]
                    if !set.contains(b'\n') =>
                {
                    self.end();
                    self.after.first = self.after.first.union(*set);
                    self.steps.push(Step::ByteOrEnd(Box::new(*set)));
                }
                _ => return None,
            },
            _ => return None,
        }
        Some(())
    }

    /// At the end there is at most a newline left. If what is behind matches anyway, it does so with and without.
    fn end(&mut self) {
        if self.after.always {
            self.after.first = ByteSet::EMPTY;
        }
        self.after.always = false;
    }

    fn byte(&mut self, set: ByteSet) {
        self.after = After { first: set, always: false };
        let Some(byte) = set.folded_literal() else {
            let set = Box::new(set);
            return self.steps.push(Step::Span { set, min: 1, max: Some(1) });
        };
        if let Some(Step::Text(text)) = self.steps.last_mut() {
            *text = [&[byte], &**text].concat().into();
        } else {
            self.steps.push(Step::Text([byte].into()));
        }
    }

    fn repeat(&mut self, repeat: &Repeat) -> Option<()> {
        if repeat.kind != Kind::Greedy {
            return None;
        }
        let Node::Set(set) = *repeat.node else {
            return self.optional(repeat);
        };
        if !self.after.always && self.after.first.intersects(&set) {
            return None;
        }
        let Repeat { min, max, .. } = *repeat;
        self.after = if min == 0 {
            After { first: self.after.first.union(set), ..self.after }
        } else {
            After { first: set, always: false }
        };
        let set = Box::new(set);
        self.steps.push(Step::Span { set, min, max });
        Some(())
    }

    /// An optional rest of the pattern that is decided by its first byte: `(/.*)?`.
    fn optional(&mut self, repeat: &Repeat) -> Option<()> {
        if (repeat.min, repeat.max) != (0, Some(1)) || !self.after.always {
            return None;
        }
        let (set, cannot_fail) = decided_by_first_byte(&repeat.node)?;
        if !cannot_fail {
            return None;
        }
        let before = self.steps.len();
        // a text must not grow into what is behind the rest
        self.steps.push(Step::Optional(Box::default(), 0));
        self.put(&repeat.node)?;
        self.steps.remove(before);
        let length = self.steps.len() - before;
        self.steps.push(Step::Optional(Box::new(set), length));
        self.after = After { first: ByteSet::ALL, always: true };
        Some(())
    }
}

/// What a node begins with, and whether it matches whenever it begins with that.
fn decided_by_first_byte(node: &Node) -> Option<(ByteSet, bool)> {
    match node {
        Node::Set(set) => Some((*set, true)),
        Node::Capture(_, node) => decided_by_first_byte(node),
        Node::Concat(nodes) => {
            let (first, rest) = nodes.split_first()?;
            let (set, cannot_fail) = decided_by_first_byte(first)?;
            Some((set, cannot_fail && rest.iter().all(Node::always_matches)))
        }
        Node::Repeat(Repeat { min: 1, max: None, node, .. }) => match **node {
            Node::Set(set) => Some((set, true)),
            _ => None,
        },
        _ => None,
    }
}
