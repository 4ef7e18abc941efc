//! The steps of a snippet, compiled and run: nginx's rewrite phase.

use std::sync::Arc;

use headgate_config::snippet::{Condition, PathRewrite, Piece, Reply, Step, Text, Then};

use super::{
    Facts, LARGEST_VALUE, Scope, State,
    search::{Found, Search},
};
use crate::route::{
    pattern::Error,
    rewrite::{append_argument, tidy_redirect},
};

/// The steps of one level.
pub struct Program {
    steps: Box<[LiveStep]>,
}

enum LiveStep {
    Set { variable: Arc<str>, value: Text },
    If { condition: LiveCondition, steps: Box<[LiveStep]>, policy: Option<usize> },
    Rewrite { search: Search, spec: Box<PathRewrite> },
    Return(Reply),
    Break,
}

enum LiveCondition {
    Truth(Text),
    Equal { left: Text, right: Text, negated: bool },
    Found { text: Text, search: Search, negated: bool },
}

/// How steps end.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request goes on where it is.
    Stay,
    /// Its path is another: a location is to be looked for again.
    Search,
    /// It is answered.
    Reply {
        /// The status.
        status: u16,
        /// The body, or the URL of a redirect; none is the stock page.
        text: Option<Vec<u8>>,
    },
    /// It cannot be told what is to be done: the answer is 500.
    Fail,
}

/// How one step ends.
enum Next {
    Go,
    Stop(Outcome),
}

impl Program {
    /// Compiles steps.
    ///
    /// # Errors
    ///
    /// If a pattern among them cannot be used.
    pub fn new(steps: &[Step]) -> Result<Self, Error> {
        Ok(Self { steps: compile(steps)? })
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Runs the steps; `quoted` is whether the request's path came with escapes.
    pub fn run(&self, state: &mut State, facts: Facts<'_>, quoted: bool) -> Outcome {
        let mut run = Run { state, facts, quoted, moved: false };
        match run.all(&self.steps) {
            Next::Stop(outcome) => outcome,
            Next::Go if run.moved => Outcome::Search,
            Next::Go => Outcome::Stay,
        }
    }
}

fn compile(steps: &[Step]) -> Result<Box<[LiveStep]>, Error> {
    let steps = steps.iter().map(|step| {
        Ok(match step {
            Step::Set { variable, value } => {
                LiveStep::Set { variable: variable.as_str().into(), value: value.clone() }
            }
            Step::If { condition, steps, policy } => LiveStep::If {
                condition: match condition {
                    Condition::Truth(text) => LiveCondition::Truth(text.clone()),
                    Condition::Equal { left, right, negated } => LiveCondition::Equal {
                        left: left.clone(),
                        right: right.clone(),
                        negated: *negated,
                    },
                    Condition::Found { text, regex, fold, negated } => LiveCondition::Found {
                        text: text.clone(),
                        search: Search::new(regex, *fold)?,
                        negated: *negated,
                    },
                },
                steps: compile(steps)?,
                policy: *policy,
            },
            Step::Rewrite(spec) => LiveStep::Rewrite {
                search: Search::new(&spec.regex, false)?,
                spec: Box::new(spec.clone()),
            },
            Step::Return(reply) => LiveStep::Return(reply.clone()),
            Step::Break => LiveStep::Break,
        })
    });
    steps.collect()
}

/// Steps while they run.
struct Run<'r> {
    state: &'r mut State,
    facts: Facts<'r>,
    quoted: bool,
    /// The path was replaced, and nothing has said yet that the request stays.
    moved: bool,
}

impl Run<'_> {
    fn scope(&self) -> Scope<'_> {
        Scope { facts: self.facts, state: self.state }
    }

    fn expand(&self, text: &Text) -> Option<Vec<u8>> {
        self.scope().expand(text)
    }

    fn all(&mut self, steps: &[LiveStep]) -> Next {
        for step in steps {
            if let Next::Stop(outcome) = self.one(step) {
                return Next::Stop(outcome);
            }
        }
        Next::Go
    }

    fn one(&mut self, step: &LiveStep) -> Next {
        match step {
            LiveStep::Set { variable, value } => {
                let Some(value) = self.expand(value) else { return Next::Stop(Outcome::Fail) };
                if **variable == *"args" {
                    self.state.query = Some(value);
                } else {
                    self.state.set(variable, value);
                }
                Next::Go
            }
            LiveStep::If { condition, steps, policy } => match self.holds(condition) {
                None => Next::Stop(Outcome::Fail),
                Some(false) => Next::Go,
                Some(true) => {
                    if let Some(policy) = policy {
                        self.state.policy = *policy;
                    }
                    self.all(steps)
                }
            },
            LiveStep::Rewrite { search, spec } => self.rewrite(search, spec),
            LiveStep::Return(reply) => {
                let text = match &reply.text {
                    None => None,
                    Some(text) => match self.expand(text) {
                        None => return Next::Stop(Outcome::Fail),
                        text => text,
                    },
                };
                Next::Stop(Outcome::Reply { status: reply.status, text })
            }
            LiveStep::Break => {
                self.state.is_stopped = true;
                Next::Stop(Outcome::Stay)
            }
        }
    }

    /// Whether a condition holds; none if the budget is used up, or what it is about is too large.
    fn holds(&mut self, condition: &LiveCondition) -> Option<bool> {
        Some(match condition {
            LiveCondition::Truth(text) => !matches!(&*self.expand(text)?, b"" | b"0"),
            LiveCondition::Equal { left, right, negated } => {
                (self.expand(left)? == self.expand(right)?) != *negated
            }
            LiveCondition::Found { text, search, negated } => {
                let text = self.expand(text)?;
                let found = search.find(&text).ok()?;
                if let Some(found) = &found {
                    self.state.keep(&text, found, &search.names);
                }
                found.is_some() != *negated
            }
        })
    }

    fn rewrite(&mut self, search: &Search, spec: &PathRewrite) -> Next {
        let path = self.scope().path().to_vec();
        let next = match search.find(&path) {
            Err(_) => None,
            Ok(None) => Some(Next::Go),
            Ok(Some(found)) => self.replace(&path, &found, search, spec),
        };
        next.unwrap_or(Next::Stop(Outcome::Fail))
    }

    /// Does a rewrite whose pattern was found; none if that cannot be.
    fn replace(
        &mut self,
        path: &[u8],
        found: &Found,
        search: &Search,
        spec: &PathRewrite,
    ) -> Option<Next> {
        self.state.keep(path, found, &search.names);
        let old = self.scope().query().to_vec();
        let kept = if spec.keeps_query { &old[..] } else { b"" };
        if let Then::Redirect(status) = spec.then {
            let mut url = tidy_redirect(&self.escaped(&spec.path)?);
            if !kept.is_empty() {
                let has_query =
                    |piece: &Piece| matches!(piece, Piece::Plain(text) if text.contains('?'));
                url.push(if spec.path.pieces.iter().any(has_query) { b'&' } else { b'?' });
                url.extend_from_slice(kept);
            }
            return Some(Next::Stop(Outcome::Reply { status, text: Some(url) }));
        }
        let new = self.expand(&spec.path).filter(|new| !new.is_empty())?;
        match &spec.query {
            Some(query) => {
                let mut query = self.escaped(query)?;
                if !kept.is_empty() {
                    query.push(b'&');
                    query.extend_from_slice(kept);
                }
                if query.len() > LARGEST_VALUE {
                    return None;
                }
                self.state.query = Some(query);
            }
            None if !spec.keeps_query => self.state.query = Some(Vec::new()),
            None => {}
        }
        self.state.path = Some(new);
        Some(match spec.then {
            Then::Search => Next::Stop(Outcome::Search),
            Then::Stay => {
                self.state.is_stopped = true;
                Next::Stop(Outcome::Stay)
            }
            Then::Next | Then::Redirect(_) => {
                self.moved = true;
                Next::Go
            }
        })
    }

    /// A text for a URL, none if it is too large: captures are escaped if the request's path came with escapes.
    fn escaped(&self, text: &Text) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let scope = self.scope();
        for piece in &text.pieces {
            let part = scope.expand(&Text { pieces: vec![piece.clone()] })?;
            match piece {
                Piece::Capture(_) if self.quoted => append_argument(&mut out, &part),
                _ => out.extend_from_slice(&part),
            }
            if out.len() > LARGEST_VALUE {
                return None;
            }
        }
        Some(out)
    }
}
