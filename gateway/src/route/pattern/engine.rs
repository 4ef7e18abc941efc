//! Linear-time engines for one regular pattern. They search [`subject`](super::hir::subject)s.

use std::{
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
};

use regex_automata::{
    Anchored, Input,
    dfa::onepass,
    hybrid::dfa as lazy,
    nfa::thompson::{
        self, NFA, WhichCaptures,
        backtrack::{self, BoundedBacktracker},
        pikevm::PikeVM,
    },
    util::{look::LookMatcher, pool::Pool, primitives::NonMaxUsize},
};

use super::{
    hir::{LAST_NEWLINE, lower},
    tree::Node,
};

/// A step budget was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// Start and end of the groups of a match, two for each.
pub(crate) type Slots = [Option<NonMaxUsize>];

/// States times bytes that a search may visit when nothing faster is left (some tens of milliseconds).
const BUDGET: usize = 1 << 22;
/// Largest one-pass automaton.
const ONE_PASS_BYTES: usize = 64 * 1024;
/// What one thread's lazy automaton may hold before it starts over.
const LAZY_CACHE_BYTES: usize = 256 * 1024;

type CachePool<T> = Pool<T, Box<dyn Fn() -> T + Send + Sync + UnwindSafe + RefUnwindSafe>>;

/// Says whether a pattern matches at a position. What follows the match does not count.
pub(crate) struct Matcher(Engine);

enum Engine {
    OnePass(Box<onepass::DFA>),
    Lazy(Box<Lazy>),
}

struct Lazy {
    dfa: lazy::DFA,
    caches: CachePool<lazy::Cache>,
    fallback: PikeVM,
}

impl Matcher {
    /// Builds the engine of a regular node; `None` if a limit of the engines is hit.
    pub fn new(node: &Node) -> Option<Self> {
        let nfa = nfa(node, WhichCaptures::None)?;
        if let Some(dfa) = one_pass(&nfa) {
            return Some(Self(Engine::OnePass(Box::new(dfa))));
        }
        let config = lazy::Config::new()
            .cache_capacity(LAZY_CACHE_BYTES)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(4))
            .minimum_bytes_per_state(Some(10));
        let dfa = lazy::Builder::new().configure(config).build_from_nfa(nfa.clone()).ok()?;
        let fallback = PikeVM::new_from_nfa(nfa).ok()?;
        let for_caches = dfa.clone();
        let caches = Pool::new(Box::new(move || for_caches.create_cache()) as _);
        Some(Self(Engine::Lazy(Box::new(Lazy { dfa, caches, fallback }))))
    }

    /// Whether the pattern matches the subject at this very position.
    pub fn matches_at(&self, subject: &[u8], at: usize) -> Result<bool, Exhausted> {
        let input = Input::new(subject).range(at..).anchored(Anchored::Yes).earliest(true);
        match &self.0 {
            Engine::OnePass(dfa) => {
                let found = dfa.try_search_slots(&mut dfa.create_cache(), &input, &mut []);
                Ok(found.map_err(|_| Exhausted)?.is_some())
            }
            Engine::Lazy(lazy) => {
                if let Ok(found) = lazy.dfa.try_search_fwd(&mut lazy.caches.get(), &input) {
                    return Ok(found.is_some());
                }
                let fallback = &lazy.fallback;
                within_budget(fallback.get_nfa(), subject.len() - at)?;
                Ok(fallback.is_match(&mut fallback.create_cache(), input))
            }
        }
    }
}

/// Finds the leftmost match of a pattern and its groups.
pub(crate) struct Finder {
    one_pass: Option<Arc<onepass::DFA>>,
    backtracker: BoundedBacktracker,
    caches: CachePool<Caches>,
}

struct Caches {
    one_pass: Option<onepass::Cache>,
    backtracker: backtrack::Cache,
}

impl Finder {
    /// Builds the engines of a regular node; `None` if a limit of the engines is hit.
    pub fn new(node: &Node) -> Option<Self> {
        let nfa = nfa(node, WhichCaptures::All)?;
        let one_pass = one_pass(&nfa).map(Arc::new);
        let backtracker = BoundedBacktracker::new_from_nfa(nfa).ok()?;
        let engines = (one_pass.clone(), backtracker.clone());
        let caches = Pool::new(Box::new(move || Caches {
            one_pass: engines.0.as_deref().map(onepass::DFA::create_cache),
            backtracker: engines.1.create_cache(),
        }) as _);
        Some(Self { one_pass, backtracker, caches })
    }

    /// Finds the leftmost match anywhere in the subject. `slots` are filled as far as they go.
    pub fn find(&self, subject: &[u8], slots: &mut Slots) -> Result<bool, Exhausted> {
        let mut caches = self.caches.get();
        // a match at the very start is the leftmost one
        if let (Some(dfa), Some(cache)) = (&self.one_pass, &mut caches.one_pass) {
            let input = Input::new(subject).anchored(Anchored::Yes);
            if let Ok(Some(_)) = dfa.try_search_slots(cache, &input, slots) {
                return Ok(true);
            }
        }
        let input = Input::new(subject);
        if subject.len() <= self.backtracker.max_haystack_len() {
            let found = self.backtracker.try_search_slots(&mut caches.backtracker, &input, slots);
            return Ok(found.map_err(|_| Exhausted)?.is_some());
        }
        let nfa = self.backtracker.get_nfa();
        within_budget(nfa, subject.len())?;
        let pike = PikeVM::new_from_nfa(nfa.clone()).map_err(|_| Exhausted)?;
        Ok(pike.search_slots(&mut pike.create_cache(), &input, slots).is_some())
    }
}

fn within_budget(nfa: &NFA, bytes: usize) -> Result<(), Exhausted> {
    let steps = nfa.states().len().saturating_mul(bytes + 1);
    if steps > BUDGET { Err(Exhausted) } else { Ok(()) }
}

/// How the engines see lines: see [`subject`](super::hir::subject).
pub(crate) fn looks() -> LookMatcher {
    let mut looks = LookMatcher::new();
    looks.set_line_terminator(LAST_NEWLINE);
    looks
}

fn nfa(node: &Node, captures: WhichCaptures) -> Option<NFA> {
    let config = thompson::Config::new()
        .utf8(false)
        .shrink(false)
        .which_captures(captures)
        .look_matcher(looks());
    thompson::Compiler::new().configure(config).build_from_hir(&lower(node)).ok()
}

fn one_pass(nfa: &NFA) -> Option<onepass::DFA> {
    let config = onepass::Config::new().size_limit(Some(ONE_PASS_BYTES));
    onepass::Builder::new().configure(config).build_from_nfa(nfa.clone()).ok()
}
