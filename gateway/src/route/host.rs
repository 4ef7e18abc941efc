//! Finds the virtual host of a request (routing §3.2).
//!
//! Exact names, wildcards and one-label wildcards are found by hash. Regular expressions are only tried where the
//! order of the hosts puts them before what was found.

mod names;

#[cfg(test)]
mod tests;

use headgate_config::{Host, HostPattern};

use self::names::Names;
use super::pattern::{self, Pattern, engine::Matcher, fancy::Fancy, tree::Node};

/// Hosts by the names that they answer to.
pub struct HostTable<T> {
    hosts: Vec<T>,
    exact: Names<u32>,
    /// Aliases `*.parent` and `.parent`, by the parent. The name `parent` itself stands under the exact names.
    below: Names<u32>,
    /// Aliases `text.*`, by the text.
    trailing: Names<u32>,
    /// Rule hosts `*.parent`, by the parent, and where they stand in the order of names.
    one_label: Names<(u32, u32)>,
    /// Aliases `~regex`, ascending by where they stand in the order of names.
    regexes: Vec<Regex>,
    default: Option<u32>,
    errors: Vec<AliasError>,
}

/// An alias that is never found because its regular expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("alias {alias:?} of host {host}: {error}")]
pub struct AliasError {
    /// Name of the host.
    pub host: String,
    /// The regular expression.
    pub alias: String,
    /// What is wrong with it.
    pub error: pattern::Error,
}

/// Checks whether a text can be used as the regular expression of an alias.
///
/// # Errors
///
/// What [`HostTable::errors`] would say of it.
pub fn check_alias(text: &str) -> Result<(), pattern::Error> {
    Program::new(text).map(drop)
}

struct Regex {
    order: u32,
    host: u32,
    program: Program,
}

/// A regular expression that is searched for.
pub(crate) enum Program {
    Regular(Box<Matcher>),
    Fancy(Fancy),
}

impl<T> HostTable<T> {
    /// Builds the table. `hosts` come in the order of the snapshot, which is ascending by name; where names overlap
    /// that order decides.
    pub fn new<'a>(hosts: impl IntoIterator<Item = (&'a Host, T)>) -> Self {
        let mut table = Self {
            hosts: Vec::new(),
            exact: Names::default(),
            below: Names::default(),
            trailing: Names::default(),
            one_label: Names::default(),
            regexes: Vec::new(),
            default: None,
            errors: Vec::new(),
        };
        let mut order = 0;
        for (host, value) in hosts {
            let index = table.hosts.len() as u32;
            table.hosts.push(value);
            for name in std::iter::once(&host.pattern).chain(&host.aliases) {
                table.add(host, index, name, order);
                order += 1;
            }
        }
        table
    }

    /// The host that takes requests for `name`, a [`HostName`](super::name::HostName).
    pub fn find(&self, name: &[u8]) -> Option<&T> {
        let index = self.index(name).or(self.default)?;
        self.hosts.get(index as usize)
    }

    /// The host of requests that no other host takes.
    pub fn default_host(&self) -> Option<&T> {
        self.hosts.get(self.default? as usize)
    }

    /// The aliases that are left out, and why.
    pub fn errors(&self) -> &[AliasError] {
        &self.errors
    }

    fn add(&mut self, host: &Host, index: u32, name: &HostPattern, order: u32) {
        match name {
            HostPattern::Exact(name) => {
                self.exact.insert(name.as_bytes(), index);
            }
            HostPattern::OneLabel(parent) => {
                self.one_label.insert(parent.as_bytes(), (order, index));
            }
            HostPattern::AnyDepth(parent) => {
                self.below.insert(parent.as_bytes(), index);
            }
            HostPattern::SelfAndBelow(name) => {
                let name = name.as_bytes();
                // taken as a whole or not at all; hosts behind lose the name itself, too
                if self.exact.get(name).is_none() && self.below.insert(name, index) {
                    self.exact.insert(name, index);
                }
            }
            HostPattern::Trailing(text) => {
                self.trailing.insert(text.as_bytes(), index);
            }
            HostPattern::Regex(text) => match Program::new(text) {
                Ok(program) => self.regexes.push(Regex { order, host: index, program }),
                Err(error) => self.errors.push(AliasError {
                    host: host.name.clone(),
                    alias: text.clone(),
                    error,
                }),
            },
            HostPattern::Default => {
                self.default.get_or_insert(index);
            }
        }
    }

    fn index(&self, name: &[u8]) -> Option<u32> {
        if name.is_empty() {
            return None;
        }
        let found = self.exact.get(name).or_else(|| self.longest_below(name));
        if found.is_some() {
            return found;
        }
        self.longest_trailing(name).or_else(|| self.first_in_order(name))
    }

    /// Aliases with a leading wildcard: the longest parent.
    fn longest_below(&self, name: &[u8]) -> Option<u32> {
        if self.below.is_empty() {
            return None;
        }
        let dots = memchr::memchr_iter(b'.', name);
        dots.filter_map(|dot| self.below.get(&name[dot + 1..])).next()
    }

    /// Aliases with a trailing wildcard: the longest text.
    fn longest_trailing(&self, name: &[u8]) -> Option<u32> {
        if self.trailing.is_empty() {
            return None;
        }
        let dots = memchr::memrchr_iter(b'.', name);
        dots.filter_map(|dot| self.trailing.get(&name[..dot])).next()
    }

    /// One-label wildcards and regular expressions: the first in the order of names.
    fn first_in_order(&self, name: &[u8]) -> Option<u32> {
        let one_label = self.one_label(name);
        let limit = one_label.map_or(u32::MAX, |(order, _)| order);
        let mut before = self.regexes.iter().take_while(|regex| regex.order < limit);
        match before.find(|regex| regex.program.matches(name)) {
            Some(regex) => Some(regex.host),
            None => one_label.map(|(_, host)| host),
        }
    }

    fn one_label(&self, name: &[u8]) -> Option<(u32, u32)> {
        if self.one_label.is_empty() {
            return None;
        }
        let (label, parent) = name.split_at(memchr::memchr(b'.', name)?);
        let is_label_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if label.is_empty() || !label.iter().all(is_label_byte) {
            return None;
        }
        self.one_label.get(&parent[1..])
    }
}

impl Program {
    /// Compiles a PCRE, without regard to case unless it says otherwise.
    pub(crate) fn new(text: &str) -> Result<Self, pattern::Error> {
        let pattern = Pattern::parse(text)?;
        if !pattern.node.is_regular() {
            return Ok(Self::Fancy(Fancy::new(&pattern, &pattern.node)?));
        }
        let anywhere = Node::concat(vec![Node::skip_anything(), pattern.node.bare()]);
        Matcher::new(&anywhere)
            .map(|matcher| Self::Regular(Box::new(matcher)))
            .ok_or(pattern::Error { at: 0, reason: "pattern is too large" })
    }

    /// Whether it matches anywhere in a name. A search that is given up finds nothing.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Regular(matcher) => matcher.matches_at(name, 0) == Ok(true),
            Self::Fancy(fancy) => matches!(fancy.find(name), Ok(Some(_))),
        }
    }
}
