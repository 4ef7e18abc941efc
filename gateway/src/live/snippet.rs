//! Snippets in the form in which requests use them.

use std::sync::Arc;

use headgate_config::snippet::{HostSnippet, OwnMatch, Policy, Snippet};

use super::host::LiveLocation;
use crate::{
    filter::snippet::{
        program::Program,
        search::{Found, Search},
    },
    route::pattern::{Error, engine::Exhausted},
};

/// What snippets ask for in a location.
pub struct LiveSnippet {
    /// As configured.
    spec: Arc<Snippet>,
    /// What is done once the location is found.
    pub program: Program,
}

impl LiveSnippet {
    /// Compiles `spec`.
    ///
    /// # Errors
    ///
    /// If a pattern in it cannot be used.
    pub(super) fn new(spec: &Arc<Snippet>) -> Result<Box<Self>, Error> {
        let program = Program::new(&spec.steps)?;
        Ok(Box::new(Self { spec: Arc::clone(spec), program }))
    }

    /// What applies, by the number that a step chose.
    pub fn policy(&self, number: usize) -> Option<&Policy> {
        self.spec.policies.get(number)
    }
}

/// What snippets ask for in a host.
pub struct LiveHostSnippet {
    /// As configured.
    pub spec: Arc<HostSnippet>,
    /// What is done before a location is looked for; none if that cannot be.
    pub program: Option<Program>,
    /// What is done after the host's own redirect; none if that cannot be.
    pub late_program: Option<Program>,
    /// What is wrong with them.
    pub(super) error: Option<Error>,
    locations: Box<[Own]>,
}

/// A location that a snippet defines.
struct Own {
    matcher: Matcher,
    late: bool,
    location: Arc<LiveLocation>,
}

enum Matcher {
    Exact(Box<[u8]>),
    Prefix {
        text: Box<[u8]>,
        is_final: bool,
    },
    /// None cannot be used.
    Pattern(Option<Search>),
}

/// Groups of a pattern with their names.
type Names<'h> = &'h [(Arc<str>, u32)];

/// A location of a snippet, with the groups of its pattern.
pub struct OwnFound<'h> {
    /// The location.
    pub location: &'h Arc<LiveLocation>,
    /// What its groups took, and their names.
    pub groups: Option<(Found, Names<'h>)>,
}

/// What the host's own table says about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// There is nothing.
    Nothing,
    /// A location takes just this path, or its slash is missing.
    Exact,
    /// The longest beginning that is known has so many bytes.
    Prefix(usize),
    /// A pattern matches.
    Pattern,
}

impl LiveHostSnippet {
    /// Compiles `spec`; `compile` makes its locations.
    pub(super) fn new(
        spec: &Arc<HostSnippet>,
        mut compile: impl FnMut(&Arc<headgate_config::Location>) -> Arc<LiveLocation>,
    ) -> Box<Self> {
        let mut error = None;
        let mut program = |steps| Program::new(steps).map_err(|problem| error = Some(problem)).ok();
        let (early, late) = (program(&spec.steps), program(&spec.late_steps));
        let locations = spec.locations.iter().map(|own| Own {
            matcher: match &own.matcher {
                OwnMatch::Exact(text) => Matcher::Exact(text.as_bytes().into()),
                OwnMatch::Prefix { text, is_final } => {
                    Matcher::Prefix { text: text.as_bytes().into(), is_final: *is_final }
                }
                OwnMatch::Pattern { regex, fold } => Matcher::Pattern(
                    Search::new(regex, *fold).map_err(|problem| error = Some(problem)).ok(),
                ),
            },
            late: own.late,
            location: compile(&own.location),
        });
        let locations = locations.collect();
        Box::new(Self {
            spec: Arc::clone(spec),
            program: early,
            late_program: late,
            error,
            locations,
        })
    }

    /// The location of a snippet that takes a path, if it goes before what `rival` says of the host's own: exact paths,
    /// then final beginnings, then patterns in order, then the longest beginning.
    ///
    /// # Errors
    ///
    /// If a pattern used up its budget, or cannot be used.
    pub fn find(
        &self,
        path: &[u8],
        rival: impl FnOnce() -> Rival,
    ) -> Result<Option<OwnFound<'_>>, Exhausted> {
        if self.locations.is_empty() {
            return Ok(None);
        }
        let plain = |own| Ok(Some(OwnFound { location: own, groups: None }));
        let mut longest: Option<(&Own, usize, bool)> = None;
        for own in &self.locations {
            match &own.matcher {
                Matcher::Exact(text) if **text == *path => return plain(&own.location),
                Matcher::Prefix { text, is_final }
                    if path.starts_with(text)
                        && longest.is_none_or(|(_, length, _)| length < text.len()) =>
                {
                    longest = Some((own, text.len(), *is_final));
                }
                _ => {}
            }
        }
        let rival = rival();
        let longest = longest.filter(|(_, length, _)| match rival {
            Rival::Exact => false,
            Rival::Prefix(other) => *length >= other,
            Rival::Nothing | Rival::Pattern => true,
        });
        match (rival, longest) {
            (Rival::Exact, _) => return Ok(None),
            (_, Some((own, _, true))) => return plain(&own.location),
            _ => {}
        }
        for own in &self.locations {
            if rival == Rival::Pattern && own.late {
                continue;
            }
            let Matcher::Pattern(search) = &own.matcher else { continue };
            let search = search.as_ref().ok_or(Exhausted)?;
            if let Some(found) = search.find(path)? {
                let groups = Some((found, &*search.names));
                return Ok(Some(OwnFound { location: &own.location, groups }));
            }
        }
        match (rival, longest) {
            (Rival::Pattern, _) | (_, None) => Ok(None),
            (_, Some((own, ..))) => plain(&own.location),
        }
    }
}
