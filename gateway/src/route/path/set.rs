//! Many rests of patterns behind one literal text, as one automaton.
//!
//! The rests form a trie of their parts (`[0-9]+`, `/`, `u`, `s`, …) in which common beginnings are shared. From it
//! a nondeterministic automaton is made, which `regex-automata` turns into a deterministic one while it runs. A
//! search reads the path once, whatever the number of patterns.

#![expect(clippy::result_large_err, reason = "the builder's own error, on no hot path")]

use std::{
    collections::HashMap,
    panic::{RefUnwindSafe, UnwindSafe},
};

use regex_automata::{
    Anchored, Input, MatchKind,
    hybrid::{
        LazyStateID,
        dfa::{Builder as DfaBuilder, Cache, Config, DFA},
    },
    nfa::thompson::{BuildError, Builder, NFA, Transition},
    util::{look, pool::Pool, primitives::StateID},
};

use crate::route::pattern::{
    bytes::ByteSet,
    engine::{Exhausted, looks},
    hir::subject_set,
    tree::{Look, Node, Repeat},
};

/// How often a search may start its automaton over before it gives up.
const MOST_CLEARS: usize = 8;

/// Finds the first of many patterns that match at a position.
pub(super) struct PatternSet {
    dfa: DFA,
    caches: Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>>,
    /// The location of every pattern of the automaton.
    locations: Box<[u32]>,
    /// The lowest of them.
    first: u32,
}

impl PatternSet {
    /// Builds the automaton of regular nodes and their locations; `None` if a limit of the engine is hit.
    pub fn new(patterns: &[(u32, &Node)]) -> Option<Self> {
        let mut trie = Trie::default();
        for (location, node) in patterns {
            trie.insert(*location, node);
        }
        let (nfa, locations) = trie.automaton().ok()?;
        let config = Config::new()
            .match_kind(MatchKind::All)
            .skip_cache_capacity_check(true)
            .cache_capacity(cache_bytes(trie.nodes.len()));
        let dfa = DfaBuilder::new().configure(config).build_from_nfa(nfa).ok()?;
        let for_caches = dfa.clone();
        Some(Self {
            dfa,
            caches: Pool::new(Box::new(move || for_caches.create_cache())),
            first: locations.iter().copied().min()?,
            locations: locations.into(),
        })
    }

    /// The lowest location below `limit` whose pattern matches the subject at a position. If the search is too
    /// expensive the lowest location of the set stands in the error.
    pub fn find(
        &self,
        subject: &[u8],
        at: usize,
        limit: u32,
    ) -> Result<Option<u32>, (Exhausted, u32)> {
        if self.first >= limit {
            return Ok(None);
        }
        let mut cache = self.caches.get();
        let mut search = Search { set: self, best: limit };
        search.run(&mut cache, subject, at).map_err(|exhausted| (exhausted, self.first))?;
        Ok((search.best < limit).then_some(search.best))
    }
}

/// One thread's deterministic states; enough for all of them if patterns diverge early.
fn cache_bytes(nodes: usize) -> usize {
    (nodes * 512).clamp(256 * 1024, 16 * 1024 * 1024)
}

struct Search<'a> {
    set: &'a PatternSet,
    best: u32,
}

impl Search<'_> {
    fn run(&mut self, cache: &mut Cache, subject: &[u8], at: usize) -> Result<(), Exhausted> {
        let dfa = &self.set.dfa;
        let clears = cache.clear_count();
        let input = Input::new(subject).range(at..).anchored(Anchored::Yes);
        let mut state = dfa.start_state_forward(cache, &input).map_err(|_| Exhausted)?;
        for &byte in &subject[at..] {
            state = dfa.next_state(cache, state, byte).map_err(|_| Exhausted)?;
            if state.is_tagged() {
                if state.is_dead() {
                    return Ok(());
                }
                self.note(cache, state);
                if self.best == self.set.first {
                    return Ok(());
                }
                if cache.clear_count() - clears > MOST_CLEARS {
                    return Err(Exhausted);
                }
            }
        }
        state = dfa.next_eoi_state(cache, state).map_err(|_| Exhausted)?;
        self.note(cache, state);
        Ok(())
    }

    fn note(&mut self, cache: &Cache, state: LazyStateID) {
        if state.is_match() {
            for index in 0..self.set.dfa.match_len(cache, state) {
                let pattern = self.set.dfa.match_pattern(cache, state, index);
                self.best = self.best.min(self.set.locations[pattern.as_usize()]);
            }
        }
    }
}

/// The parts of all rests.
#[derive(Default)]
struct Trie {
    nodes: Vec<TrieNode>,
    children: HashMap<(u32, Node), u32, foldhash::fast::FixedState>,
}

#[derive(Default)]
struct TrieNode {
    edges: Vec<(Node, u32)>,
    /// The lowest location whose rest ends here.
    location: Option<u32>,
}

impl Trie {
    fn insert(&mut self, location: u32, node: &Node) {
        if self.nodes.is_empty() {
            self.nodes.push(TrieNode::default());
        }
        let parts = match node {
            Node::Concat(nodes) => nodes.as_slice(),
            node => std::slice::from_ref(node),
        };
        let mut at = 0;
        for part in parts {
            let new = self.nodes.len() as u32;
            let child = *self.children.entry((at, part.clone())).or_insert(new);
            if child == new {
                self.nodes[at as usize].edges.push((part.clone(), new));
                self.nodes.push(TrieNode::default());
            }
            at = child;
        }
        let end = &mut self.nodes[at as usize].location;
        *end = Some(end.map_or(location, |known| known.min(location)));
    }

    /// The automaton, and the location of each of its patterns.
    fn automaton(&self) -> Result<(NFA, Vec<u32>), BuildError> {
        let mut builder = Builder::new();
        builder.set_utf8(false);
        builder.set_look_matcher(looks());
        let mut locations = Vec::new();
        let mut states = vec![StateID::ZERO; self.nodes.len()];
        // children come after their parents, and states need the states behind them first; the builder wants to be
        // inside of a pattern all the time
        builder.start_pattern()?;
        for (index, node) in self.nodes.iter().enumerate().rev() {
            let mut starts = Vec::new();
            if let Some(location) = node.location {
                let state = builder.add_match()?;
                locations.push(location);
                builder.finish_pattern(state)?;
                builder.start_pattern()?;
                starts.push(state);
            }
            add_edges(&mut builder, &node.edges, &states, &mut starts)?;
            states[index] = match starts.as_slice() {
                [only] => *only,
                _ => builder.add_union(starts)?,
            };
        }
        builder.finish_pattern(states[0])?;
        Ok((builder.build(states[0], states[0])?, locations))
    }
}

/// Adds what leads to a trie node's children. Sets that have nothing in common become one state.
fn add_edges(
    builder: &mut Builder,
    edges: &[(Node, u32)],
    states: &[StateID],
    starts: &mut Vec<StateID>,
) -> Result<(), BuildError> {
    let mut taken = ByteSet::EMPTY;
    let mut transitions = Vec::new();
    for (part, child) in edges {
        let next = states[*child as usize];
        match part {
            Node::Set(set) if !taken.intersects(&subject_set(*set)) => {
                let set = subject_set(*set);
                taken = taken.union(set);
                transitions.extend(ranges(set, next));
            }
            part => starts.push(add(builder, part, next)?),
        }
    }
    if !transitions.is_empty() {
        transitions.sort_by_key(|transition| transition.start);
        starts.push(builder.add_sparse(transitions)?);
    }
    Ok(())
}

fn ranges(set: ByteSet, next: StateID) -> impl Iterator<Item = Transition> {
    set.ranges().into_iter().map(move |(start, end)| Transition { start, end, next })
}

/// Adds states for a regular node in front of `next` and returns the first of them.
fn add(builder: &mut Builder, node: &Node, next: StateID) -> Result<StateID, BuildError> {
    match node {
        Node::Set(set) if set.is_empty() => builder.add_fail(),
        Node::Set(set) => builder.add_sparse(ranges(subject_set(*set), next).collect()),
        Node::Look(look) => builder.add_look(
            next,
            match look {
                Look::Start => look::Look::Start,
                Look::End => look::Look::End,
                Look::Word => look::Look::WordAscii,
                Look::NotWord => look::Look::WordAsciiNegate,
                // the lines' start and end are not regular and do not get here
                Look::EndOrLastNewline | Look::StartOfLine | Look::EndOfLine => look::Look::EndLF,
            },
        ),
        Node::Concat(nodes) => {
            nodes.iter().rev().try_fold(next, |next, node| add(builder, node, next))
        }
        Node::Alternate(nodes) => {
            let starts =
                nodes.iter().map(|node| add(builder, node, next)).collect::<Result<_, _>>()?;
            builder.add_union(starts)
        }
        Node::Repeat(repeat) => add_repeat(builder, repeat, next),
        Node::Capture(_, node) => add(builder, node, next),
        _ => Ok(next),
    }
}

fn add_repeat(
    builder: &mut Builder,
    repeat: &Repeat,
    next: StateID,
) -> Result<StateID, BuildError> {
    let mut start = match repeat.max {
        None => {
            let turn = builder.add_union(Vec::new())?;
            let body = add(builder, &repeat.node, turn)?;
            builder.patch(turn, body)?;
            builder.patch(turn, next)?;
            turn
        }
        Some(max) => {
            let mut start = next;
            for _ in repeat.min..max {
                let body = add(builder, &repeat.node, start)?;
                start = builder.add_union(vec![body, next])?;
            }
            start
        }
    };
    for _ in 0..repeat.min {
        start = add(builder, &repeat.node, start)?;
    }
    Ok(start)
}
