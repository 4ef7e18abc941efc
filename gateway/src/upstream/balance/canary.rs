//! Whether a request goes to the upstream that gets a share of another's (annotations §3.11).

use std::{borrow::Cow, sync::Arc};

use headgate_config::balance::{CanaryRules, CanaryValue};
use http::HeaderMap;

use crate::{
    field_name::is_alike,
    filter::cookie,
    observe::metrics::NameKey,
    route::pattern::{self, Pattern, anywhere::AnyOf},
    upstream::SharedUpstream,
};

/// An upstream that gets a share of the requests of another.
pub struct Canary {
    /// The upstream.
    pub upstream: Arc<SharedUpstream>,
    /// Its name in metrics.
    pub key: NameKey,
    /// Its share.
    pub share: Share,
}

/// Which requests are a canary's.
pub struct Share {
    rules: Arc<CanaryRules>,
    /// What the header's value is searched for; none if that is no pattern.
    pattern: Option<AnyOf>,
}

/// Checks a pattern for the value of a header.
///
/// # Errors
///
/// If it cannot be used.
pub fn check(text: &str) -> Result<(), pattern::Error> {
    compile(text).map(drop)
}

fn compile(text: &str) -> Result<AnyOf, pattern::Error> {
    AnyOf::new(&[Pattern::parse_with_case(text)?])
}

impl Share {
    /// Compiles the rules.
    pub fn new(rules: &Arc<CanaryRules>) -> Self {
        let pattern = match rules.header.as_ref().map(|header| &header.value) {
            Some(CanaryValue::Matches(text)) => compile(text).ok(),
            _ => None,
        };
        Self { rules: Arc::clone(rules), pattern }
    }

    /// Whether a request with these headers is the canary's: as its header says, or its cookie, or by lot.
    /// `underscores` is whether names of headers may have them.
    pub fn has(&self, headers: &HeaderMap, underscores: bool, random: &mut fastrand::Rng) -> bool {
        let cookie = || {
            let value = cookie::first(headers, self.rules.cookie.as_deref()?)?;
            by_word(value)
        };
        self.by_header(headers, underscores).or_else(cookie).unwrap_or_else(|| {
            let total = self.rules.total.max(100);
            self.rules.weight > 0 && random.u32(1..=total) <= self.rules.weight
        })
    }

    fn by_header(&self, headers: &HeaderMap, underscores: bool) -> Option<bool> {
        let header = self.rules.header.as_ref()?;
        let value = joined(headers, &header.name, underscores)?;
        match &header.value {
            CanaryValue::Words => by_word(&value),
            CanaryValue::Is(wanted) => (*value == *wanted.as_bytes()).then_some(true),
            // A broken pattern, and a search that is given up, lead to the primary.
            CanaryValue::Matches(_) => match self.pattern.as_ref().map(|text| text.matches(&value))
            {
                Some(Ok(true)) => Some(true),
                Some(Ok(false)) => None,
                None | Some(Err(_)) => Some(false),
            },
        }
    }
}

fn by_word(value: &[u8]) -> Option<bool> {
    match value {
        b"always" => Some(true),
        b"never" => Some(false),
        _ => None,
    }
}

/// All values of a header; `-` in its name is as good as `_`.
fn joined<'h>(headers: &'h HeaderMap, name: &str, underscores: bool) -> Option<Cow<'h, [u8]>> {
    let is_meant = |found: &str| is_alike(found, name) && (underscores || !found.contains('_'));
    let mut values = headers.iter().filter(|(found, _)| is_meant(found.as_str()));
    let first = values.next()?.1.as_bytes();
    let Some(second) = values.next() else { return Some(Cow::Borrowed(first)) };
    let mut all = first.to_vec();
    for (_, value) in std::iter::once(second).chain(values) {
        all.extend_from_slice(b", ");
        all.extend_from_slice(value.as_bytes());
    }
    Some(Cow::Owned(all))
}
