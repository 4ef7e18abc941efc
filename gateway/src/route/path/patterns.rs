//! The regular expressions of a host: the first that matches wins.
//!
//! Every pattern is split into the literal texts that it begins with and a rest. The texts of all patterns form one
//! trie; at each text stand the patterns that have it, in their order. A path is led through the trie once, then
//! the few rests that it met are tried, the lowest location wins.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use super::{Found, PatternError, radix::Radix, set::PatternSet, tail::Tail};
use crate::route::pattern::{
    self, Pattern,
    engine::Exhausted,
    fancy::Fancy,
    hir::subject,
    is_plain,
    prefix::{SplitLiteral, split, split_literal},
    tree::Node,
};

/// More rests than this behind one text become one automaton.
const MOST_TAILS: usize = 8;
const NONE: u32 = u32::MAX;

/// The regular expressions of a host.
pub(super) struct PatternTable {
    texts: Radix,
    /// What stands at the texts.
    entries: Box<[Entry]>,
    tails: Box<[Tail]>,
    fancies: Box<[Rest]>,
    sets: Box<[PatternSet]>,
}

/// A rest that is not regular.
struct Rest {
    program: Fancy,
    /// It has to match right behind the text.
    anchored: bool,
}

/// The patterns that begin with one text.
struct Entry {
    /// The first that needs nothing behind the text.
    always: u32,
    /// Location and rest, ascending.
    tails: Box<[(u32, u32)]>,
    /// Location and program, ascending: rests that are not regular.
    fancies: Box<[(u32, u32)]>,
    /// An index, if the rests are many.
    set: Option<u32>,
}

impl Entry {
    fn is_done(&self) -> bool {
        self.tails.is_empty() && self.fancies.is_empty() && self.set.is_none()
    }
}

impl PatternTable {
    pub fn compile<'a>(
        texts: impl Iterator<Item = (usize, &'a str)>,
        errors: &mut Vec<PatternError>,
    ) -> Self {
        let mut builder = Builder::default();
        for (location, text) in texts {
            if let Err(error) = builder.add(location as u32, text) {
                errors.push(PatternError { location, error });
            }
        }
        builder.finish()
    }

    pub fn check(text: &str) -> Result<(), pattern::Error> {
        Builder::default().add(0, text)
    }

    pub fn find(&self, path: &[u8]) -> Found {
        let mut best = Best { location: NONE, exhausted: false };
        let mut met: SmallVec<[(u32, usize); 12]> = SmallVec::new();
        self.texts.walk(path, |entry, at| {
            let Entry { always, .. } = self.entries[entry as usize];
            best.location = best.location.min(always);
            if !self.entries[entry as usize].is_done() {
                met.push((entry, at));
            }
        });
        if !met.is_empty() {
            let subject = subject(path);
            // longer texts tend to come first in the order, and leave less to try
            for &(entry, at) in met.iter().rev() {
                self.try_regular(&self.entries[entry as usize], &subject, at, &mut best);
            }
            for &(entry, at) in met.iter().rev() {
                self.try_fancies(&self.entries[entry as usize], path, at, &mut best);
            }
        }
        match best {
            Best { exhausted: true, .. } => Found::Exhausted,
            Best { location: NONE, .. } => Found::Nothing,
            Best { location, .. } => Found::Location(location as usize),
        }
    }

    fn try_regular(&self, entry: &Entry, subject: &[u8], at: usize, best: &mut Best) {
        for &(location, tail) in &entry.tails {
            if best.is_before(location) {
                break;
            }
            best.take(location, self.tails[tail as usize].matches_at(subject, at));
        }
        if let Some(set) = entry.set {
            match self.sets[set as usize].find(subject, at, best.location) {
                Ok(Some(location)) => best.take(location, Ok(true)),
                Ok(None) => {}
                Err((exhausted, location)) => best.take(location, Err(exhausted)),
            }
        }
    }

    fn try_fancies(&self, entry: &Entry, path: &[u8], at: usize, best: &mut Best) {
        for &(location, fancy) in &entry.fancies {
            if best.is_before(location) {
                break;
            }
            let rest = &self.fancies[fancy as usize];
            best.take(
                location,
                match rest.anchored {
                    true => rest.program.matches_at(path, at),
                    false => rest.program.matches(path),
                },
            );
        }
    }
}

/// The lowest location so far.
struct Best {
    location: u32,
    /// It is not known whether this location matches: if it stays the lowest nothing is decided.
    exhausted: bool,
}

impl Best {
    fn is_before(&self, location: u32) -> bool {
        self.location <= location
    }

    fn take(&mut self, location: u32, outcome: Result<bool, Exhausted>) {
        if outcome != Ok(false) && location < self.location {
            *self = Self { location, exhausted: outcome.is_err() };
        }
    }
}

#[derive(Default)]
struct Builder {
    /// By text, in lower case.
    texts: HashMap<Vec<u8>, Draft, FixedState>,
    /// Equal rests are one.
    tails: HashMap<Node, u32, FixedState>,
    fancy_tails: HashMap<FancyKey, u32, FixedState>,
    fancies: Vec<Rest>,
}

/// A rest that is not regular, the names of its groups, and whether it is anchored.
type FancyKey = (Node, Vec<(String, u32)>, bool);

/// An entry while it grows. A rest that was met before cannot be reached again behind the same text.
struct Draft {
    always: u32,
    tails: BTreeMap<u32, u32>,
    fancies: BTreeMap<u32, u32>,
}

impl Default for Draft {
    fn default() -> Self {
        Self { always: NONE, tails: BTreeMap::new(), fancies: BTreeMap::new() }
    }
}

impl Builder {
    fn add(&mut self, location: u32, text: &str) -> Result<(), pattern::Error> {
        if is_plain(text) && !text.contains('\n') {
            self.add_always(text.to_ascii_lowercase().into_bytes(), location);
            return Ok(());
        }
        // positions in errors are those of the path
        let pattern = Pattern::parse(&format!("^{text}"))
            .map_err(|error| pattern::Error { at: error.at.saturating_sub(1), ..error })?;
        if !pattern.node.is_regular() {
            return self.add_fancy(location, &pattern);
        }
        for part in split(&pattern.node) {
            if part.rest == Node::Empty {
                part.texts.into_iter().for_each(|text| self.add_always(text, location));
                continue;
            }
            let new = self.tails.len() as u32;
            let tail = *self.tails.entry(part.rest).or_insert(new);
            for text in part.texts {
                let tails = &mut self.texts.entry(text).or_default().tails;
                tails.entry(tail).or_insert(location);
            }
        }
        Ok(())
    }

    fn add_always(&mut self, text: Vec<u8>, location: u32) {
        let always = &mut self.texts.entry(text).or_default().always;
        *always = (*always).min(location);
    }

    fn add_fancy(&mut self, location: u32, pattern: &Pattern) -> Result<(), pattern::Error> {
        let SplitLiteral { text, rest, anchored } = split_literal(&pattern.node);
        let key = (rest, pattern.names.clone(), anchored);
        let fancy = match self.fancy_tails.get(&key) {
            Some(fancy) => *fancy,
            None => {
                let fancy = self.fancies.len() as u32;
                self.fancies.push(Rest { program: Fancy::new(pattern, &key.0)?, anchored });
                self.fancy_tails.insert(key, fancy);
                fancy
            }
        };
        let fancies = &mut self.texts.entry(text).or_default().fancies;
        fancies.entry(fancy).or_insert(location);
        Ok(())
    }

    fn finish(self) -> PatternTable {
        let mut nodes: Vec<(Node, u32)> = self.tails.into_iter().collect();
        nodes.sort_unstable_by_key(|(_, tail)| *tail);
        let nodes: Vec<Node> = nodes.into_iter().map(|(node, _)| node).collect();
        let mut drafts: Vec<(Vec<u8>, Draft)> = self.texts.into_iter().collect();
        drafts.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut sets = Vec::new();
        let mut texts = Vec::with_capacity(drafts.len());
        let mut entries = Vec::with_capacity(drafts.len());
        for (text, draft) in drafts {
            texts.push((text, entries.len() as u32));
            entries.push(draft.finish(&nodes, &mut sets));
        }
        // those that became part of an automaton are not kept
        let mut used = vec![false; nodes.len()];
        let lists = entries.iter().flat_map(|entry: &Entry| &entry.tails);
        lists.for_each(|&(_, tail)| used[tail as usize] = true);
        let keep = |(node, used)| if used { Tail::new(node) } else { Tail::End };
        let tails = nodes.into_iter().zip(used).map(keep).collect();
        PatternTable {
            texts: Radix::new(&texts),
            entries: entries.into(),
            tails,
            fancies: self.fancies.into(),
            sets: sets.into(),
        }
    }
}

impl Draft {
    fn finish(self, nodes: &[Node], sets: &mut Vec<PatternSet>) -> Entry {
        let always = self.always;
        let in_order = |by_rest: BTreeMap<u32, u32>| {
            let reachable = by_rest.into_iter().map(|(rest, location)| (location, rest));
            let mut list: Vec<(u32, u32)> =
                reachable.filter(|(location, _)| *location < always).collect();
            list.sort_unstable();
            list
        };
        let mut tails = in_order(self.tails);
        let mut set = None;
        if tails.len() > MOST_TAILS {
            let patterns: Vec<_> =
                tails.iter().map(|&(location, tail)| (location, &nodes[tail as usize])).collect();
            if let Some(built) = PatternSet::new(&patterns) {
                set = Some(sets.len() as u32);
                sets.push(built);
                tails.clear();
            }
        }
        Entry { always, tails: tails.into(), fancies: in_order(self.fancies).into(), set }
    }
}
