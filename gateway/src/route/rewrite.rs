//! Rewrites the path that is sent upstream (annotations §3.2).
//!
//! The pattern is searched in the normalised path, anywhere in it; the target, with the captures put in, replaces
//! the whole path and is escaped again. A target with a scheme is a redirect.

mod escape;
mod search;
mod sequence;
pub(crate) mod template;

#[cfg(test)]
mod tests;

use headgate_config::Rewrite;

use self::{
    escape::append_path,
    search::{Captures, Search},
    template::{Part, Template},
};
use super::{
    pattern::{self, Pattern},
    target::Target,
};

pub use self::escape::escape_path;
pub(crate) use self::escape::{append_argument, tidy_redirect};

/// A compiled rewrite.
pub struct RewriteProgram {
    search: Search,
    target: Template,
    forwarded_prefix: Option<Template>,
    redirects: bool,
    keeps_query: bool,
}

/// What a rewrite makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// The request goes on with this path.
    Path {
        /// Escaped, ready to be sent. Not always with a leading slash.
        path: Vec<u8>,
        /// Value of `X-Forwarded-Prefix`, decoded, in place of whatever the client sent; `None` if the rewrite does
        /// not set the header, empty if the header is not sent at all. May hold bytes that no header value may
        /// hold: such a header is left out.
        prefix: Option<Vec<u8>>,
    },
    /// The answer is 302 with this location.
    Redirect(Vec<u8>),
    /// The pattern does not match (impossible when it is the location's own): the request goes on as it came.
    Unchanged,
}

/// Why a request cannot be rewritten. The answer is 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The new path is empty.
    #[error("rewritten path is empty")]
    EmptyPath,
    /// The step budget was used up.
    #[error("rewrite pattern used up its step budget")]
    Exhausted,
}

/// Gives the value of a variable by its lower-case name without `$`.
pub type Variables<'a, 'v> = dyn Fn(&str) -> Option<&'v [u8]> + 'a;

impl RewriteProgram {
    /// Compiles a rewrite.
    ///
    /// # Errors
    ///
    /// If the pattern cannot be used, or the target holds a `$` without a name.
    pub fn compile(rewrite: &Rewrite) -> Result<Self, pattern::Error> {
        let pattern = Pattern::parse(&rewrite.pattern)?;
        let target = rewrite.target.strip_suffix('?').unwrap_or(&rewrite.target);
        let redirects =
            ["http://", "https://", "$scheme"].iter().any(|start| target.starts_with(start));
        let template = |text: &str| Template::compile(text, &pattern);
        Ok(Self {
            target: template(target)?,
            forwarded_prefix: rewrite.forwarded_prefix.as_deref().map(template).transpose()?,
            redirects,
            keeps_query: target.len() == rewrite.target.len(),
            search: Search::new(&rewrite.pattern, &pattern)?,
        })
    }

    /// Whether the query of the request is appended to the result: not if the target ends in `?`.
    pub fn keeps_query(&self) -> bool {
        self.keeps_query
    }

    /// Rewrites a request's path. Unknown variables are empty.
    ///
    /// # Errors
    ///
    /// See [`RewriteError`]; the answer is 500.
    pub fn apply(
        &self,
        target: &Target<'_>,
        variables: &Variables<'_, '_>,
    ) -> Result<Rewritten, RewriteError> {
        let path = target.path();
        let captures = self.search.find(path).map_err(|_| RewriteError::Exhausted)?;
        let Some(captures) = captures else {
            return Ok(Rewritten::Unchanged);
        };
        let values = Values { path, captures: &captures, variables };
        if self.redirects {
            return Ok(Rewritten::Redirect(self.location(target, &values)));
        }
        let mut new = Vec::with_capacity(path.len() + 32);
        for part in &self.target.parts {
            append_path(&mut new, values.of(part));
        }
        if new.is_empty() {
            return Err(RewriteError::EmptyPath);
        }
        let prefix = self.forwarded_prefix.as_ref();
        let prefix = prefix.map(|template| {
            template.parts.iter().flat_map(|part| values.of(part)).copied().collect()
        });
        Ok(Rewritten::Path { path: new, prefix })
    }

    /// The location of a redirect. Captures are escaped only if the request wrote an escape or a `+` in its path,
    /// and escapes of printable bytes are undone again: so does the reference.
    fn location(&self, target: &Target<'_>, values: &Values<'_, '_>) -> Vec<u8> {
        let mut location = Vec::with_capacity(target.path().len() + 64);
        for part in &self.target.parts {
            match part {
                Part::Group(_) if target.quoted() => {
                    append_argument(&mut location, values.of(part))
                }
                _ => location.extend_from_slice(values.of(part)),
            }
        }
        tidy_redirect(&location)
    }
}

/// What the parts of a template stand for in one request.
struct Values<'a, 'v> {
    path: &'a [u8],
    captures: &'a Captures,
    variables: &'a Variables<'a, 'v>,
}

impl Values<'_, '_> {
    fn of<'p>(&'p self, part: &'p Part) -> &'p [u8] {
        match part {
            Part::Text(text) => text,
            Part::Group(group) => match self.captures.get(*group as usize) {
                Some(&Some((start, end))) => self.path.get(start..end).unwrap_or_default(),
                _ => b"",
            },
            Part::Variable(name) => (self.variables)(name).unwrap_or_default(),
        }
    }
}
