//! What all answers lose and gain (configmap-and-flags §6, §7), compiled.

use headgate_config::HeaderLine;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{is_kept, is_kept_with_server};
use crate::{
    filter::variables::{Template, Variables},
    upstream::h1::Keep,
};

/// What the server is called where it is named at all.
const SERVER: HeaderValue = HeaderValue::from_static("nginx/1.27.1");

/// What all answers lose and gain.
pub struct GlobalHeaders {
    /// `add-headers`.
    added: Box<[Line]>,
    /// `hide-headers`.
    hidden: Box<[HeaderName]>,
    /// Whether the server is named.
    tokens: bool,
    /// Which headers of upstreams are passed on.
    pub keep: Keep,
}

struct Line {
    name: HeaderName,
    value: Template,
    /// `value`, where it has no variables; empty removes the header.
    fixed: Option<HeaderValue>,
}

impl GlobalHeaders {
    /// Compiles a configuration. Lines that are no headers were refused before.
    pub fn new(spec: &headgate_config::GlobalHeaders) -> Self {
        let line = |line: &HeaderLine| {
            let value = Template::new(&line.value);
            let fixed = value.fixed().and_then(|text| HeaderValue::from_str(text).ok());
            Some(Line { name: line.name.parse().ok()?, value, fixed })
        };
        let passes_server = spec.server_tokens && spec.upstream_server;
        Self {
            added: spec.answer.iter().filter_map(line).collect(),
            hidden: spec.hidden.iter().filter_map(|name| name.parse().ok()).collect(),
            tokens: spec.server_tokens,
            keep: if passes_server { is_kept_with_server } else { is_kept },
        }
    }

    /// Removes what clients are not to see of an upstream's answer.
    pub fn hide(&self, headers: &mut HeaderMap) {
        for name in &self.hidden {
            headers.remove(name);
        }
    }

    /// Names the server, where that is wanted and the upstream has not done so.
    pub fn name_server(&self, headers: &mut HeaderMap) {
        if self.tokens && !headers.contains_key(header::SERVER) {
            headers.insert(header::SERVER, SERVER);
        }
    }

    /// Whether [`GlobalHeaders::add`] does anything.
    pub fn adds(&self) -> bool {
        !self.added.is_empty()
    }

    /// Sets the headers of all answers. One whose value is empty, or cannot be a header's, is removed.
    pub fn add(&self, headers: &mut HeaderMap, variables: &Variables<'_>) {
        for line in &self.added {
            let value = match &line.fixed {
                Some(fixed) => Some(fixed.clone()),
                None => HeaderValue::from_bytes(&line.value.expand(variables)).ok(),
            };
            set(headers, &line.name, value.filter(|value| !value.is_empty()));
        }
    }
}

/// Sets a header, or removes it. One too many for the map is left out.
pub(super) fn set(headers: &mut HeaderMap, name: &HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.try_insert(name.clone(), value)),
        None => drop(headers.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::Origin;
    use http::Method;

    use super::*;

    fn answer(lines: &[(&str, &str)], query: &[u8]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| HeaderLine {
            name: (*name).into(),
            value: (*value).into(),
        };
        let spec = headgate_config::GlobalHeaders {
            answer: lines.iter().map(line).collect(),
            ..headgate_config::GlobalHeaders::default()
        };
        let origin = Origin::default();
        let variables = Variables {
            method: &Method::GET,
            headers: &HeaderMap::new(),
            underscores: false,
            host: b"a.test",
            http_host: b"a.test",
            best_host: b"a.test",
            scheme: b"http",
            listener_scheme: b"http",
            listener_port: b"80",
            client_ip: b"192.0.2.1",
            target: b"/",
            path: b"/\r\nX: 1",
            query,
            request_id: b"id",
            origin: &origin,
            connection: None,
            span: None,
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-own", HeaderValue::from_static("upstream"));
        headers.insert("x-gone", HeaderValue::from_static("upstream"));
        GlobalHeaders::new(&spec).add(&mut headers, &variables);
        headers
    }

    #[test]
    fn headers_of_all_answers_replace_and_remove_those_of_upstreams() {
        let headers = answer(&[("X-Own", "gate"), ("X-Gone", ""), ("X-New", "h=$host")], b"");
        assert_eq!(
            (&headers["x-own"], &headers["x-new"]),
            (&"gate".parse().unwrap(), &"h=a.test".parse().unwrap())
        );
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn what_clients_send_in_variables_ends_no_line() {
        let headers = answer(&[("X-Path", "$uri"), ("X-Query", "${args}")], b"a=\x01");
        assert_eq!(headers.keys().count(), 2, "{headers:?}");
        assert!(!headers.contains_key("x-path") && !headers.contains_key("x-query"));
    }
}
