//! The URL of a service that is asked, or gets copies. What a client sends ends up in it, and must not lead out of its
//! place.

use std::net::{IpAddr, Ipv6Addr};

use super::variables::{Part, Variables, parts};

/// A URL with variables. Where its parts begin and end is decided before anything is filled in.
pub struct Url {
    tls: bool,
    authority: String,
    /// Path and query.
    target: String,
    /// What `authority` is if it has no variables.
    fixed: Option<Place>,
}

/// Who is asked, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Its host and port.
    pub place: Place,
    /// Path and query.
    pub target: Vec<u8>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The host as the URL has it, in lower case: the `Host` header.
    pub host: String,
    /// Its address, if it is one.
    pub address: Option<IpAddr>,
    /// Port.
    pub port: u16,
}

impl Url {
    /// Takes a URL apart; `None` if it is none of HTTP. What is asked for where it has no path is up to `default_path`.
    pub fn parse(text: &str, default_path: impl FnOnce() -> String) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let tls = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => false,
            _ if scheme.eq_ignore_ascii_case("https") => true,
            _ => return None,
        };
        let (authority, target) = rest.split_at(end_of_authority(rest));
        let target = match target {
            "" => default_path(),
            query if query.starts_with('?') => format!("/{query}"),
            target => target.to_owned(),
        };
        let has_variables = authority.contains('$');
        let fixed = if has_variables { None } else { Some(place(authority.as_bytes(), tls)?) };
        Some(Self { tls, authority: authority.to_owned(), target, fixed })
    }

    /// The URL for a request; `None` if what is filled in does not fit its place.
    pub fn destination(&self, variables: &Variables<'_>) -> Option<Destination> {
        let place = match &self.fixed {
            Some(place) => place.clone(),
            None => place(&variables.expand(&self.authority), self.tls)?,
        };
        let target = filled(&self.target, variables)?;
        (target.first() == Some(&b'/')).then_some(Destination { tls: self.tls, place, target })
    }
}

/// Where path and query begin: also at a variable whose value is a path.
fn end_of_authority(text: &str) -> usize {
    let mut at = 0;
    for part in parts(text) {
        match part {
            Part::Text(text) => match text.find(['/', '?', '#']) {
                Some(end) => return at + end,
                None => at += text.len(),
            },
            Part::Variable("request_uri" | "uri" | "document_uri") => return at,
            Part::Variable(name) => {
                at += 1 + name.len();
                // In braces.
                at += if text[at - name.len()..].starts_with('{') { 2 } else { 0 };
            }
        }
    }
    at.min(text.len())
}

/// Host and port of an authority without user information.
fn place(authority: &[u8], tls: bool) -> Option<Place> {
    let text = std::str::from_utf8(authority).ok()?.to_ascii_lowercase();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (format!("[{address}]"), port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            (text[..end].to_owned(), &text[end..])
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => {
            if tls {
                443
            } else {
                80
            }
        }
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port > 0)?
        }
        _ => return None,
    };
    let address = host.trim_matches(['[', ']']).parse().ok();
    (address.is_some() || is_name(&host)).then_some(Place { host, address, port })
}

/// Whether a text can be asked for in DNS. Underscores occur, in spite of RFC 1123.
fn is_name(host: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name = host.strip_suffix('.').unwrap_or(host);
    name.len() <= 253
        && name.split('.').all(|label| (1..=63).contains(&label.len()) && label.bytes().all(fine))
}

/// Path and query with their variables. What is not visible is escaped where it is a decoded path, which may hold
/// anything, and refused elsewhere: nobody knows what its author wanted to be read of it.
fn filled(text: &str, variables: &Variables<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() + 64);
    for part in parts(text) {
        match part {
            Part::Text(text) => out.extend_from_slice(text.as_bytes()),
            Part::Variable(name @ ("uri" | "document_uri")) => {
                let path = variables.text(name)?;
                out.extend_from_slice(&crate::route::rewrite::escape_path(&path));
            }
            Part::Variable(name) => out.extend_from_slice(&variables.text(name)?),
        }
    }
    // A fragment is no part of a request, and what is behind it would be lost.
    let is_fine = |byte: &u8| *byte > b' ' && *byte != 0x7f && *byte != b'#';
    out.iter().all(is_fine).then_some(out)
}

#[cfg(test)]
mod tests;
