//! Rewrites the path that is sent upstream (annotations §3.2).

use headgate_config::Rewrite;

use super::target::Target;

pub use self::escape::escape_path;

mod escape;

/// A compiled rewrite.
pub struct RewriteProgram {}

/// What a rewrite makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// The request goes on with this path.
    Path {
        /// Escaped, ready to be sent. Not always with a leading slash.
        path: Vec<u8>,
        /// Value of `X-Forwarded-Prefix`, decoded; `None` if the header is not to be set. May hold bytes that no
        /// header value may hold: such a header is left out.
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

impl RewriteProgram {
    /// Compiles a rewrite.
    ///
    /// # Errors
    ///
    /// If the pattern cannot be used, or the target holds a `$` without a name.
    pub fn compile(rewrite: &Rewrite) -> Result<Self, super::pattern::Error> {
        let _ = rewrite;
        loop {}
    }

    /// Whether the query of the request is appended to the result: not if the target ends in `?`.
    pub fn keeps_query(&self) -> bool {
        true
    }

    /// Rewrites a request's path. `variables` gives the value of a variable by its lower-case name without `$`;
    /// unknown variables are empty.
    ///
    /// # Errors
    ///
    /// See [`RewriteError`]; the answer is 500.
    pub fn apply<'v>(
        &self,
        target: &Target<'_>,
        variables: &dyn Fn(&str) -> Option<&'v [u8]>,
    ) -> Result<Rewritten, RewriteError> {
        let _ = (target, variables);
        loop {}
    }
}
