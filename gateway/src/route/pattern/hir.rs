//! Regular trees as `regex-syntax` expressions.
//!
//! `$` also matches before a newline that is the last byte, which those expressions cannot say. So the engines run
//! on a [`subject`] whose last byte, if it is a newline, is replaced by NUL, which no normalised path holds: every
//! set treats NUL like a newline, and NUL is the engines' line terminator.

use std::borrow::Cow;

use regex_syntax::hir::{self, Class, ClassBytes, ClassBytesRange, Hir};

use super::{
    bytes::ByteSet,
    tree::{Kind, Look, Node, Repeat},
};

/// Stands for the last byte of a path if that is a newline.
pub(crate) const LAST_NEWLINE: u8 = 0;

/// A path in the form that regular engines search.
pub(crate) fn subject(path: &[u8]) -> Cow<'_, [u8]> {
    match path {
        [rest @ .., b'\n'] => Cow::Owned([rest, &[LAST_NEWLINE]].concat()),
        _ => Cow::Borrowed(path),
    }
}

/// A set as it is compared with the bytes of a [`subject`].
pub(crate) fn subject_set(mut set: ByteSet) -> ByteSet {
    if set.contains(b'\n') {
        set.insert(LAST_NEWLINE);
    } else {
        set.remove(LAST_NEWLINE);
    }
    set
}

/// Translates a node for which [`Node::is_regular`] holds.
pub(crate) fn lower(node: &Node) -> Hir {
    match node {
        Node::Set(set) => class(*set),
        Node::Look(look) => match look {
            Look::Start => Hir::look(hir::Look::Start),
            Look::End => Hir::look(hir::Look::End),
            Look::EndOrLastNewline => Hir::look(hir::Look::EndLF),
            Look::Word => Hir::look(hir::Look::WordAscii),
            Look::NotWord => Hir::look(hir::Look::WordAsciiNegate),
            // these two are not regular
            Look::StartOfLine | Look::EndOfLine => Hir::fail(),
        },
        Node::Concat(nodes) => Hir::concat(nodes.iter().map(lower).collect()),
        Node::Alternate(nodes) => Hir::alternation(nodes.iter().map(lower).collect()),
        Node::Repeat(Repeat { min, max, kind, node }) => Hir::repetition(hir::Repetition {
            min: *min,
            max: *max,
            greedy: *kind != Kind::Lazy,
            sub: Box::new(lower(node)),
        }),
        Node::Capture(index, node) => {
            Hir::capture(hir::Capture { index: *index, name: None, sub: Box::new(lower(node)) })
        }
        Node::Empty
        | Node::Atomic(_)
        | Node::Around(_)
        | Node::Reference { .. }
        | Node::Conditional { .. } => Hir::empty(),
    }
}

fn class(set: ByteSet) -> Hir {
    let ranges = subject_set(set).ranges();
    Hir::class(Class::Bytes(ClassBytes::new(
        ranges.into_iter().map(|(first, last)| ClassBytesRange::new(first, last)),
    )))
}
