//! What the answers of one location gain, and what is rewritten in them (annotations §3.18), compiled.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, Entry},
};

use super::{
    cookie,
    global::set,
    replace::{Form, Replace},
};
use crate::{filter::variables::Variables, route::pattern};

/// What happens to headers of the answers of a location.
pub struct AnswerHeaders {
    cookie_domain: Option<Replace>,
    cookie_path: Option<Replace>,
    redirect: Option<Replace>,
    /// `custom-headers`.
    custom: Box<[(HeaderName, HeaderValue)]>,
}

impl AnswerHeaders {
    /// Compiles a configuration; what cannot be used of it has no effect, and is said with the field.
    pub fn new(
        spec: &headgate_config::AnswerHeaders,
        mut found: impl FnMut(&'static str, pattern::Error),
    ) -> Self {
        let mut compile = |field, spec: &Option<_>, form| {
            let replace = Replace::new(spec.as_ref()?, form);
            replace.map_err(|error| found(field, error)).ok()
        };
        let header = |(name, value): &(String, String)| {
            Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))
        };
        Self {
            cookie_domain: compile("proxy-cookie-domain", &spec.cookie_domain, Form::Domain),
            cookie_path: compile("proxy-cookie-path", &spec.cookie_path, Form::Prefix),
            redirect: compile("proxy-redirect-from", &spec.redirect, Form::Prefix),
            custom: spec.custom.iter().filter_map(header).collect(),
        }
    }

    /// Whether [`AnswerHeaders::rewrite`] would look at anything in an answer of an upstream.
    pub fn rewrites(&self, headers: &HeaderMap) -> bool {
        let cookies = self.cookie_domain.is_some() || self.cookie_path.is_some();
        (cookies && headers.contains_key(header::SET_COOKIE))
            || (self.redirect.is_some()
                && (headers.contains_key(header::LOCATION)
                    || headers.contains_key(header::REFRESH)))
    }

    /// Rewrites cookies and redirects of an upstream's answer. `absolute` makes a URL of the path of a redirect.
    pub fn rewrite(
        &self,
        headers: &mut HeaderMap,
        variables: &Variables<'_>,
        absolute: impl Fn(&[u8]) -> Vec<u8>,
    ) {
        let (domain, path) = (self.cookie_domain.as_ref(), self.cookie_path.as_ref());
        if (domain.is_some() || path.is_some())
            && let Entry::Occupied(mut cookies) = headers.entry(header::SET_COOKIE)
        {
            for line in cookies.iter_mut() {
                replace(line, cookie::rewrite(line.as_bytes(), domain, path, variables));
            }
        }
        let Some(redirect) = &self.redirect else { return };
        if let Some(location) = headers.get_mut(header::LOCATION) {
            let new = redirect.apply(location.as_bytes(), variables).map(|new| new.concat());
            let new = new.map(|new| if new.starts_with(b"/") { absolute(&new) } else { new });
            replace(location, new);
        }
        if let Some(refresh) = headers.get_mut(header::REFRESH) {
            let new = refreshed(refresh.as_bytes(), redirect, variables);
            replace(refresh, new);
        }
    }

    /// Sets the headers that every answer of the location carries.
    pub fn add_custom(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.custom {
            set(headers, name, Some(value.clone()));
        }
    }
}

/// Puts a new value in place of another, if there is one that a header can hold.
fn replace(value: &mut HeaderValue, new: Option<Vec<u8>>) {
    if let Some(new) =
        new.and_then(|new| HeaderValue::from_maybe_shared(bytes::Bytes::from(new)).ok())
    {
        *value = new;
    }
}

/// `Refresh` with another address behind `url=`.
fn refreshed(value: &[u8], redirect: &Replace, variables: &Variables<'_>) -> Option<Vec<u8>> {
    const MARK: &[u8] = b"url=";
    let at = value.windows(MARK.len()).position(|window| window.eq_ignore_ascii_case(MARK))?;
    let (head, url) = value.split_at(at + MARK.len());
    Some([head, &redirect.apply(url, variables)?.concat()].concat())
}

#[cfg(test)]
mod tests;
