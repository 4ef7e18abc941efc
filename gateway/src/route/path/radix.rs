//! A compact, immutable trie of texts that are compared without regard to ASCII case.

/// Visits all of its texts that a path begins with, in one pass over the path.
pub(super) struct Radix {
    nodes: Box<[Node]>,
    /// The first byte of every node's label; children of one node stand together, in ascending order.
    firsts: Box<[u8]>,
    labels: Box<[u8]>,
}

const NO_VALUE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    label_start: u32,
    label_length: u32,
    children_start: u32,
    children: u32,
    value: u32,
}

impl Radix {
    /// Builds the trie of ascending, distinct, lower-case texts and their values (below `u32::MAX`).
    pub fn new(texts: &[(Vec<u8>, u32)]) -> Self {
        let mut builder = Builder {
            texts,
            nodes: vec![Node {
                label_start: 0,
                label_length: 0,
                children_start: 0,
                children: 0,
                value: NO_VALUE,
            }],
            firsts: vec![0],
            labels: Vec::new(),
        };
        // node, its texts, length of what they have in common up to it
        let mut queue = vec![(0, 0..texts.len(), 0)];
        while let Some((node, range, depth)) = queue.pop() {
            builder.expand(node, range, depth, &mut queue);
        }
        Self {
            nodes: builder.nodes.into(),
            firsts: builder.firsts.into(),
            labels: builder.labels.into(),
        }
    }

    /// Calls `visit` with the value and the length of every text that the path begins with, the shortest first.
    pub fn walk(&self, path: &[u8], mut visit: impl FnMut(u32, usize)) {
        let mut node = &self.nodes[0];
        let mut at = 0;
        loop {
            if node.value != NO_VALUE {
                visit(node.value, at);
            }
            let Some(first) = path.get(at) else { return };
            let first = first.to_ascii_lowercase();
            let start = node.children_start as usize;
            let firsts = &self.firsts[start..start + node.children as usize];
            let child = if firsts.len() <= 8 {
                firsts.iter().position(|&byte| byte == first)
            } else {
                firsts.binary_search(&first).ok()
            };
            let Some(child) = child else { return };
            node = &self.nodes[start + child];
            let length = node.label_length as usize;
            let label = &self.labels[node.label_start as usize..][..length];
            let Some(part) = path.get(at..at + length) else { return };
            if !part.eq_ignore_ascii_case(label) {
                return;
            }
            at += length;
        }
    }
}

struct Builder<'a> {
    texts: &'a [(Vec<u8>, u32)],
    nodes: Vec<Node>,
    firsts: Vec<u8>,
    labels: Vec<u8>,
}

type Work = (usize, std::ops::Range<usize>, usize);

impl Builder<'_> {
    /// Makes the children of a node whose texts are those of `range`, which agree in their first `depth` bytes.
    fn expand(
        &mut self,
        node: usize,
        mut range: std::ops::Range<usize>,
        depth: usize,
        queue: &mut Vec<Work>,
    ) {
        let texts = self.texts;
        if let Some((text, value)) = texts[range.clone()].first()
            && text.len() == depth
        {
            self.nodes[node].value = *value;
            range.start += 1;
        }
        self.nodes[node].children_start = self.nodes.len() as u32;
        while !range.is_empty() {
            let first = &texts[range.start].0;
            let group =
                texts[range.clone()].partition_point(|(text, _)| text[depth] <= first[depth]);
            let end = range.start + group;
            let last = &texts[end - 1].0;
            // ascending order: what the first and the last agree in, all agree in
            let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
            queue.push((self.nodes.len(), range.start..end, common));
            self.firsts.push(first[depth]);
            self.nodes.push(Node {
                label_start: self.labels.len() as u32,
                label_length: (common - depth) as u32,
                children_start: 0,
                children: 0,
                value: NO_VALUE,
            });
            self.labels.extend_from_slice(&first[depth..common]);
            self.nodes[node].children += 1;
            range.start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn visits_every_text_that_the_path_begins_with(
            mut texts in prop::collection::vec("[a-c/]{0,6}", 0..40),
            path in "[a-cA-C/]{0,10}",
        ) {
            texts.sort();
            texts.dedup();
            let texts: Vec<_> = texts.into_iter().zip(0..).map(|(text, value)| (text.into_bytes(), value)).collect();
            let mut visited = Vec::new();
            Radix::new(&texts).walk(path.as_bytes(), |value, length| visited.push((value, length)));
            let folded = path.to_ascii_lowercase().into_bytes();
            let mut expected: Vec<_> =
                texts.iter().filter(|(text, _)| folded.starts_with(text)).map(|(text, value)| (*value, text.len())).collect();
            expected.sort_by_key(|(_, length)| *length);
            prop_assert_eq!(visited, expected);
        }
    }
}
