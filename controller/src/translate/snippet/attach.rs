//! Gives hosts and locations what the snippets of all levels say: the ConfigMap's around everything, the oldest
//! server-snippet around a host (annotations §1.10), and those of an Ingress in its locations.

use std::{collections::BTreeSet, sync::Arc};

use headgate_config::{
    Location, PathMatch, Protection,
    protection::AccessRule,
    snippet::{HostSnippet, OwnLocation, OwnMatch, Snippet, Step},
};

use super::{Block, compile::Own, level::Level};
use crate::translate::{annotations::Annotations, ingress::Accepted};

/// The snippets of one Ingress.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snippets {
    /// `server-snippet`.
    pub server: Option<Arc<Block>>,
    /// `configuration-snippet`.
    pub location: Option<Arc<Block>>,
}

/// The snippets of the ConfigMap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GlobalSnippets {
    /// `http-snippet`.
    pub http: Option<Arc<Block>>,
    /// `server-snippet`.
    pub server: Option<Arc<Block>>,
    /// `location-snippet`.
    pub location: Option<Arc<Block>>,
    /// The variables that they give values.
    pub sets: BTreeSet<String>,
}

/// The snippets of one host.
#[derive(Debug)]
pub struct Attached<'a> {
    global: &'a GlobalSnippets,
    /// The Ingress whose server-snippet counts, and that.
    own: Option<(&'a Accepted, &'a Arc<Block>)>,
    /// What holds around the locations.
    outer: Level,
    /// The location that was made last: neighbours share what they have.
    last: Option<(Option<*const Snippets>, Option<Arc<Snippet>>)>,
}

impl<'a> Attached<'a> {
    /// For a host with these Ingresses, oldest first.
    pub fn new(global: &'a GlobalSnippets, ingresses: &'a [Arc<Accepted>]) -> Self {
        let own = ingresses.iter().find_map(|ingress| {
            Some((&**ingress, ingress.annotations.snippets.as_ref()?.server.as_ref()?))
        });
        let mut server = own.map(|(_, block)| block.level.clone()).unwrap_or_default();
        if let Some(block) = &global.server {
            server.extend(&block.level);
        }
        let outer = match &global.http {
            Some(http) => server.under(&http.level),
            None => server,
        };
        Self { global, own, outer: outer.of_server(), last: None }
    }

    /// What the snippets ask for in the locations of these annotations.
    pub fn location(&mut self, annotations: &Annotations) -> Option<Arc<Snippet>> {
        let key = annotations.snippets.as_ref().map(Arc::as_ptr);
        if let Some((last, snippet)) = &self.last
            && *last == key
        {
            return snippet.clone();
        }
        let own = annotations.snippets.as_ref().and_then(|own| own.location.as_deref());
        let blocks = [own, self.global.location.as_deref()];
        let snippet = merged(blocks.into_iter().flatten().map(Part::of), &self.outer);
        self.last = Some((key, snippet.clone()));
        snippet
    }

    /// Who may come to a location, by its snippets. Lists of its own replace those around it.
    pub fn protected(
        &self,
        annotations: &Annotations,
        protection: Option<Arc<Protection>>,
    ) -> Option<Arc<Protection>> {
        let own = annotations.snippets.as_ref().and_then(|own| own.location.as_deref());
        let blocks = [own, self.global.location.as_deref()];
        let own = || blocks.iter().flatten().flat_map(|block| &block.level.access);
        let has_lists = protection.as_ref().is_some_and(|protection| protection.access.is_some());
        let rules: Vec<AccessRule> = if own().next().is_some() || has_lists {
            own().copied().collect()
        } else {
            self.outer.access.clone()
        };
        with_rules(protection, rules)
    }

    /// What the snippets ask for in the host itself; `make` makes a location that asks no upstream.
    pub fn host(
        &self,
        mut make: impl FnMut(Option<&Accepted>, PathMatch) -> Location,
    ) -> Option<Arc<HostSnippet>> {
        let mut locations = Vec::new();
        let late = self.global.server.iter().map(|block| (None, block));
        let own = self.own.iter().map(|(ingress, block)| (Some(*ingress), *block));
        for (ingress, block) in own.chain(late) {
            for own in &block.locations {
                let location = make(ingress, shown(&own.matcher));
                locations.push(self.own_location(own, location, ingress.is_none()));
            }
        }
        let steps = |block: Option<&Arc<Block>>| block.map(|block| block.steps.clone());
        let snippet = HostSnippet {
            steps: steps(self.own.map(|(_, block)| block)).unwrap_or_default(),
            late_steps: steps(self.global.server.as_ref()).unwrap_or_default(),
            policy: self.outer.policy(),
            locations,
        };
        (snippet != HostSnippet::default()).then(|| Arc::new(snippet))
    }

    fn own_location(&self, own: &Own, location: Location, late: bool) -> OwnLocation {
        let rules = own.level.under(&self.outer).access;
        let protection = with_rules(location.protection.clone(), rules);
        let snippet = merged(std::iter::once(Part::of_own(own)), &self.outer);
        let location = Arc::new(Location { protection, snippet, ..location });
        OwnLocation { matcher: own.matcher.clone(), late, location }
    }
}

/// Steps and levels of one snippet.
struct Part<'b> {
    steps: &'b [Step],
    level: &'b Level,
    branches: &'b [Level],
}

impl<'b> Part<'b> {
    fn of(block: &'b Block) -> Self {
        Self { steps: &block.steps, level: &block.level, branches: &block.branches }
    }

    fn of_own(own: &'b Own) -> Self {
        Self { steps: &own.steps, level: &own.level, branches: &own.branches }
    }
}

/// What the snippets of one location come to inside a level; none if that is nothing.
fn merged<'b>(parts: impl Iterator<Item = Part<'b>>, outer: &Level) -> Option<Arc<Snippet>> {
    let (mut level, mut branches, mut steps) = (Level::default(), Vec::new(), Vec::new());
    for part in parts {
        level.extend(part.level);
        // The first policy is that of the location itself.
        steps.extend(renumbered(part.steps, branches.len() + 1));
        branches.extend(part.branches);
    }
    let level = level.under(outer);
    let inner = branches.into_iter().map(|branch: &Level| branch.under(&level).policy());
    let policies: Vec<_> = std::iter::once(level.policy()).chain(inner).collect();
    let is_nothing =
        steps.is_empty() && policies.iter().all(|policy| *policy == Default::default());
    (!is_nothing).then(|| Arc::new(Snippet { steps, policies }))
}

/// Steps whose conditions choose policies by numbers of this kind and higher.
fn renumbered(steps: &[Step], first: usize) -> Vec<Step> {
    let mut steps = steps.to_vec();
    for step in &mut steps {
        // Conditions do not stand inside each other.
        if let Step::If { policy: Some(policy), .. } = step {
            *policy += first;
        }
    }
    steps
}

/// Protection with rules behind its lists.
fn with_rules(
    protection: Option<Arc<Protection>>,
    rules: Vec<AccessRule>,
) -> Option<Arc<Protection>> {
    if rules.is_empty() {
        return protection;
    }
    let mut protection = protection.unwrap_or_default();
    let access = Arc::make_mut(&mut protection).access.get_or_insert_default();
    Arc::make_mut(access).rules = rules;
    Some(protection)
}

/// How a location of a snippet is shown.
fn shown(matcher: &OwnMatch) -> PathMatch {
    match matcher {
        OwnMatch::Exact(text) => PathMatch::Exact(text.clone()),
        OwnMatch::Prefix { text, .. } => PathMatch::Prefix(text.clone()),
        OwnMatch::Pattern { regex, .. } => PathMatch::Pattern(regex.clone()),
    }
}
