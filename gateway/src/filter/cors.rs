//! What browsers are told about scripts of other origins (annotations §3.10). No I/O.
//!
//! The headers are made when the table is: of a request only its `Origin` is looked at.

use headgate_config::cors::{self, Origins};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The rules of a location.
pub struct Cors {
    /// Whose scripts are meant; none is everybody's.
    listed: Option<Box<[Origin]>>,
    /// What is said to them, whatever else the answer is.
    headers: Box<[(HeaderName, HeaderValue)]>,
    /// Whether credentials may be sent. An upstream does not decide it.
    credentials: bool,
}

/// An origin of the list.
enum Origin {
    /// This one.
    Whole(Box<[u8]>),
    /// One label between these.
    OneLabel { before: Box<[u8]>, behind: Box<[u8]> },
}

impl Cors {
    /// Compiles `spec`. A text that no header can hold is left out, which allows less.
    pub fn new(spec: &cors::Cors) -> Self {
        let listed = match &spec.origins {
            Origins::Any => None,
            Origins::Listed(origins) => {
                Some(origins.iter().map(|text| Origin::new(text)).collect())
            }
        };
        let max_age = spec.max_age.to_string();
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, spec.credentials.then_some("true")),
            (header::ACCESS_CONTROL_ALLOW_METHODS, Some(&*spec.methods)),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, Some(&*spec.headers)),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, spec.exposed.as_deref()),
            (header::ACCESS_CONTROL_MAX_AGE, Some(&*max_age)),
        ];
        let headers = headers
            .into_iter()
            .filter_map(|(name, text)| Some((name, HeaderValue::from_str(text?).ok()?)))
            .collect();
        Self { listed, headers, credentials: spec.credentials }
    }

    /// What `Access-Control-Allow-Origin` says to a request, if it is of an origin that is meant. Where everybody is, it
    /// need not name any.
    pub fn admits(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let Some(listed) = &self.listed else { return Some(HeaderValue::from_static("*")) };
        let mut lines = request.get_all(header::ORIGIN).iter();
        // Of two, somebody else might believe the other.
        let (Some(origin), None) = (lines.next(), lines.next()) else { return None };
        listed.iter().any(|listed| listed.matches(origin.as_bytes())).then(|| origin.clone())
    }

    /// Adds what is said to an origin that is meant, in place of what the upstream says.
    pub fn add_to(&self, origin: HeaderValue, answer: &mut HeaderMap) {
        if !self.credentials {
            answer.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        }
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        for (name, value) in &self.headers {
            answer.insert(name, value.clone());
        }
    }
}

impl Origin {
    fn new(text: &str) -> Self {
        match text.split_once("://*") {
            Some((scheme, behind)) => Self::OneLabel {
                before: format!("{scheme}://").into_bytes().into(),
                behind: behind.as_bytes().into(),
            },
            None => Self::Whole(text.as_bytes().into()),
        }
    }

    /// Compares all of it: the reference only looks at the end (docs/differences.md).
    fn matches(&self, origin: &[u8]) -> bool {
        let (before, behind) = match self {
            Self::Whole(text) => return origin.eq_ignore_ascii_case(text),
            Self::OneLabel { before, behind } => (before, behind),
        };
        let Some((begin, rest)) = origin.split_at_checked(before.len()) else { return false };
        let Some(length) = rest.len().checked_sub(behind.len()) else { return false };
        let (label, end) = rest.split_at(length);
        begin.eq_ignore_ascii_case(before)
            && end.eq_ignore_ascii_case(behind)
            && !label.is_empty()
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    }
}

#[cfg(test)]
mod tests;
