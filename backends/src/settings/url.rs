//! Addresses of other services, checked when they are read so that a typing error stops the start and not a request.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;

/// An `http://` URL without query and trailing slash, to which paths are appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Why a text is no [`BaseUrl`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a URL of the form http://host[:port][/path]: {reason}")]
pub struct InvalidUrl {
    text: String,
    reason: String,
}

impl BaseUrl {
    /// The URL of `path` (which starts with a slash) below this one.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    fn has_path(&self) -> bool {
        self.0.trim_start_matches("http://").contains('/')
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let invalid =
            |reason: &str| InvalidUrl { text: text.to_owned(), reason: reason.to_owned() };
        let uri: Uri = text.trim().parse().map_err(|error| invalid(&format!("{error}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(invalid("the scheme must be http"));
        }
        let authority = uri.authority().ok_or_else(|| invalid("there is no host"))?;
        if uri.query().is_some() {
            return Err(invalid("a query makes no sense here"));
        }
        Ok(Self(format!("http://{authority}{}", uri.path().trim_end_matches('/'))))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A receiver of every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Key of its place in the log.
    pub name: String,
    /// Where events are posted.
    pub url: String,
}

impl FromStr for Subscriber {
    type Err = InvalidUrl;

    /// `name=URL`, or a URL alone, which is then its own name. Without a path the URL means `/events` there.
    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains('/') => (Some(name.trim()), url),
            _ => (None, text),
        };
        let base: BaseUrl = url.parse()?;
        let url = if base.has_path() { base.to_string() } else { base.join("/events") };
        match name {
            Some("") => {
                Err(InvalidUrl { text: text.to_owned(), reason: "the name is empty".to_owned() })
            }
            Some(name) => Ok(Self { name: name.to_owned(), url }),
            None => Ok(Self { name: base.to_string(), url }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn base_url_drops_the_trailing_slash() {
        assert_eq!(
            BaseUrl::from_str("http://bus:4005/").unwrap().join("/events"),
            "http://bus:4005/events"
        );
    }

    #[test]
    fn base_url_refuses_what_it_cannot_reach() {
        for text in ["", "bus:4005", "https://bus", "http://", "http://bus/?a=b", "/events"] {
            assert!(BaseUrl::from_str(text).is_err(), "{text}");
        }
    }

    #[test]
    fn subscriber_without_path_means_events() {
        let expected =
            Subscriber { name: "query".to_owned(), url: "http://query-srv:4002/events".to_owned() };
        assert_eq!("query=http://query-srv:4002".parse(), Ok(expected));
    }

    #[test]
    fn blanks_around_a_subscriber_do_not_count() {
        assert_eq!(
            " query = http://query-srv:4002 ".parse::<Subscriber>(),
            "query=http://query-srv:4002".parse()
        );
    }

    #[test]
    fn subscriber_keeps_its_own_path() {
        let expected = Subscriber {
            name: "http://audit/hook".to_owned(),
            url: "http://audit/hook".to_owned(),
        };
        assert_eq!("http://audit/hook".parse(), Ok(expected));
    }

    #[test]
    fn subscriber_without_a_name_before_the_sign_is_refused() {
        assert!(Subscriber::from_str("=http://audit").is_err());
    }
}
