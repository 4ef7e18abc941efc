//! What is wrong at the moment with the keys of tokens, as verdicts about the objects that need them.

use std::sync::Arc;

use headgate_config::{Effect, Verdict};
use parking_lot::Mutex;

use super::{KeyStores, Known, Shared};

/// The state of all sources that a table names. It can be asked at any time, whatever is being compiled.
pub struct KeyStates(Arc<Mutex<Known>>);

impl KeyStores {
    /// Whom to ask about the state of all sources.
    pub fn states(&self) -> KeyStates {
        KeyStates(Arc::clone(&self.known))
    }
}

impl KeyStates {
    /// A verdict for each object that needs keys which cannot be fetched, or are of no use.
    pub fn conditions(&self) -> Vec<Verdict> {
        let stores: Vec<_> = self.0.lock().values().filter_map(std::sync::Weak::upgrade).collect();
        stores.iter().flat_map(|store| conditions(&store.shared)).collect()
    }
}

fn conditions(shared: &Shared) -> Vec<Verdict> {
    let Some((effect, problem)) = problem(shared) else { return Vec::new() };
    let message = format!("headgate.io/jwt-jwks-url: {problem}");
    let verdict = |object| Verdict {
        object,
        effect,
        reason: "JwtKeysUnavailable".into(),
        message: message.clone(),
    };
    shared.users.objects().into_iter().map(verdict).collect()
}

/// What is wrong with a source, and what that means for traffic.
fn problem(shared: &Shared) -> Option<(Effect, String)> {
    let url = &shared.shown;
    let keys = shared.current();
    let failure = shared.progress.borrow().failure;
    match (failure, keys) {
        (Some(failure), Some(_)) => Some((
            Effect::Warning,
            format!(
                "the keys at {url} cannot be fetched: {failure}; those from before are used for up to an hour, and then requests with a token are answered with 503: make the URL answer with its keys, or name another"
            ),
        )),
        (Some(failure), None) => Some((
            Effect::Denied,
            format!(
                "the keys at {url} cannot be fetched: {failure}; requests with a token are answered with 503: make the URL answer with its keys, or name another"
            ),
        )),
        (None, Some(held)) if held.keys.count() == 0 => Some((
            Effect::Warning,
            format!(
                "there is no key at {url} that tokens can be verified with; requests with a token are answered with 401: publish one there, or name another URL"
            ),
        )),
        _ => None,
    }
}
