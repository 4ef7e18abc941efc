//! Splits what only has to match into literal texts and the rest behind them.

use super::{
    bytes::ByteSet,
    tree::{Look, Node, Repeat},
};

/// Alternatives at the start are written out up to this many texts.
const MOST_TEXTS: usize = 32;
/// Sets at the start are written out up to this many bytes.
const MOST_BYTES: u32 = 4;

/// Texts, any of which a path has to begin with, and what has to match behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// In lower case; compared without regard to ASCII case. Without newlines.
    pub texts: Vec<Vec<u8>>,
    /// What has to match behind the text; [`Node::Empty`] if nothing.
    pub rest: Node,
}

/// Takes a regular pattern apart: it matches a path exactly if one of the parts does. What follows the match does
/// not count.
pub(crate) fn split(node: &Node) -> Vec<Split> {
    let branches = match node.clone().bare() {
        Node::Alternate(branches) => branches,
        node => vec![node],
    };
    branches.into_iter().map(split_branch).collect()
}

fn split_branch(branch: Node) -> Split {
    let mut items = match branch {
        Node::Concat(items) => items,
        node => vec![node],
    };
    let anchors = items.iter().take_while(|item| **item == Node::Look(Look::Start)).count();
    items.drain(..anchors);
    open_end(&mut items);
    if anchors == 0 {
        if !items.is_empty() {
            items.insert(0, Node::skip_anything());
        }
        return Split { texts: vec![Vec::new()], rest: Node::concat(items) };
    }
    let mut texts = vec![Vec::new()];
    let literal = items.iter().take_while(|item| write_out(&mut texts, item)).count();
    items.drain(..literal);
    Split { texts, rest: Node::concat(items) }
}

/// A pattern that is not regular, taken apart.
pub(crate) struct SplitLiteral {
    /// The literal text that it begins with, in lower case; often empty.
    pub text: Vec<u8>,
    /// What has to match behind the text.
    pub rest: Node,
    /// It has to match right behind the text. Otherwise it may match anywhere.
    pub anchored: bool,
}

/// Takes a pattern that is not regular apart.
pub(crate) fn split_literal(node: &Node) -> SplitLiteral {
    let whole = |anchored| SplitLiteral { text: Vec::new(), rest: node.clone(), anchored };
    let Node::Concat(items) = node else {
        return whole(false);
    };
    let [Node::Look(Look::Start), rest @ ..] = items.as_slice() else {
        return whole(false);
    };
    let text: Vec<u8> = rest.iter().map_while(literal_byte).collect();
    if text.is_empty() {
        return whole(true);
    }
    let rest = Node::concat(rest[text.len()..].to_vec());
    SplitLiteral { text, rest, anchored: true }
}

/// Drops from the end what matches anyway.
fn open_end(items: &mut Vec<Node>) {
    while let Some(last) = items.pop() {
        match last {
            node if node.always_matches() => {}
            Node::Concat(nodes) => items.extend(nodes),
            Node::Repeat(Repeat { min: 1, node, .. }) => items.push(*node),
            Node::Repeat(repeat) => {
                let max = Some(repeat.min);
                items.push(Node::Repeat(Repeat { max, ..repeat }));
                return;
            }
            Node::Alternate(nodes) => {
                let branches: Vec<Node> = nodes.into_iter().map(open_branch).collect();
                if !branches.contains(&Node::Empty) {
                    items.push(Node::Alternate(branches));
                    return;
                }
            }
            node => {
                items.push(node);
                return;
            }
        }
    }
}

fn open_branch(branch: Node) -> Node {
    let mut items = match branch {
        Node::Concat(items) => items,
        node => vec![node],
    };
    open_end(&mut items);
    Node::concat(items)
}

/// Appends an item to all texts, if it stands for few enough.
fn write_out(texts: &mut Vec<Vec<u8>>, item: &Node) -> bool {
    let endings: Vec<Vec<u8>> = match item {
        Node::Set(set) => match folded_members(set) {
            Some(bytes) => bytes.into_iter().map(|byte| vec![byte]).collect(),
            None => return false,
        },
        Node::Alternate(nodes) => match nodes.iter().map(literal_text).collect() {
            Some(endings) => endings,
            None => return false,
        },
        _ => return false,
    };
    if let [ending] = endings.as_slice() {
        texts.iter_mut().for_each(|text| text.extend_from_slice(ending));
        return true;
    }
    if endings.is_empty() || texts.len() * endings.len() > MOST_TEXTS {
        return false;
    }
    *texts = texts
        .iter()
        .flat_map(|text| endings.iter().map(move |ending| [text.as_slice(), ending].concat()))
        .collect();
    true
}

/// The members of a set that ignores case, in lower case.
fn folded_members(set: &ByteSet) -> Option<Vec<u8>> {
    if let Some(byte) = set.folded_literal() {
        return is_plain(byte).then(|| vec![byte]);
    }
    if set.len() > 2 * MOST_BYTES || set.folded() != *set {
        return None;
    }
    let members: Vec<u8> = set.iter().filter(|byte| !byte.is_ascii_uppercase()).collect();
    (members.len() <= MOST_BYTES as usize && members.iter().all(|&byte| is_plain(byte)))
        .then_some(members)
}

fn literal_byte(node: &Node) -> Option<u8> {
    match node {
        Node::Set(set) => set.folded_literal().filter(|&byte| is_plain(byte)),
        _ => None,
    }
}

fn literal_text(node: &Node) -> Option<Vec<u8>> {
    match node {
        Node::Empty => Some(Vec::new()),
        Node::Concat(nodes) => nodes.iter().map(literal_byte).collect(),
        node => literal_byte(node).map(|byte| vec![byte]),
    }
}

/// Newlines are left to the engines, which see the last one differently.
fn is_plain(byte: u8) -> bool {
    byte != b'\n' && byte != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::pattern::Pattern;

    fn parts(pattern: &str) -> Vec<Split> {
        split(&Pattern::parse(&format!("^{pattern}")).expect("a good pattern").node)
    }

    fn rest(pattern: &str) -> Node {
        Pattern::parse(pattern).expect("a good pattern").node.bare()
    }

    #[track_caller]
    fn check(pattern: &str, texts: &[&str], rest_pattern: &str) {
        let texts = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let rest = rest(rest_pattern);
        assert_eq!(parts(pattern), [Split { texts, rest }], "{pattern}");
    }

    #[test]
    fn a_tail_that_matches_anyway_is_dropped() {
        for pattern in ["/foo", "/foo(.*)", "/foo(/.*)?", "/foo/?(.*)", "/foo(?:/(.*))?", "/foo()"]
        {
            check(pattern, &["/foo"], "");
        }
        check("/foo/(.+)", &["/foo/"], ".");
        check("/foo(/|$)(.*)", &["/foo"], "/|$");
        check("/foo/[0-9]+(/.*)?", &["/foo/"], "[0-9]");
        check("/foo/[0-9]{3,}", &["/foo/"], "[0-9]{3}");
    }

    #[test]
    fn texts_are_in_lower_case_and_sets_of_one_letter_belong_to_them() {
        check("/FoO\\.x", &["/foo.x"], "");
        check("/(?-i)foo", &["/"], "(?-i)foo");
    }

    #[test]
    fn alternatives_at_the_start_are_written_out() {
        check("/(foo|bar)(/|$)(.*)", &["/foo", "/bar"], "/|$");
        check("/v[12]/(a|b|)x", &["/v1/ax", "/v1/bx", "/v1/x", "/v2/ax", "/v2/bx", "/v2/x"], "");
        check("/v[0-9]/x", &["/v"], "[0-9]/x");
    }

    #[test]
    fn only_the_first_alternative_is_anchored() {
        let found = parts("/foo|/bar");
        assert_eq!(found[0].texts, [b"/foo"]);
        assert_eq!(found[0].rest, Node::Empty);
        assert_eq!(found[1].texts, [b""]);
        assert_eq!(found[1].rest, rest("(?s).*/bar"));
    }
}
