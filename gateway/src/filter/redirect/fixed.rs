//! The redirect of a whole location (`permanent-redirect`, `temporal-redirect`; annotations §3.3). No I/O.

use bytes::Bytes;
use headgate_config::Redirect;
use http::{HeaderValue, StatusCode};

use super::Own;

/// Where all requests of a location are sent.
pub struct FixedRedirect {
    /// The status.
    pub status: StatusCode,
    target: Target,
}

enum Target {
    /// This URL.
    Url(HeaderValue),
    /// This path of the host that was asked for.
    Path(Box<[u8]>),
    /// This text with variables, which is either when they are replaced.
    Text(Box<str>),
}

/// How an answer tells the target.
pub enum Told {
    /// As `Location`; none if what the client sent makes it no valid one.
    Header(Option<HeaderValue>),
    /// As its body: browsers do not follow.
    Body(Bytes),
}

impl FixedRedirect {
    /// Compiles `spec`. A target that cannot be sent is one at each request, too, and answered 500 there.
    pub fn new(spec: &headgate_config::FixedRedirect) -> Self {
        let text = &*spec.target;
        let target = if text.contains('$') {
            Target::Text(text.into())
        } else if text.starts_with('/') {
            Target::Path(text.as_bytes().into())
        } else {
            match HeaderValue::from_str(text) {
                Ok(url) => Target::Url(url),
                Err(_) => Target::Path(text.as_bytes().into()),
            }
        };
        Self { status: super::status(spec.status), target }
    }

    /// The target for one request. `expand` replaces variables.
    pub fn tell(
        &self,
        own: &Own<'_>,
        form: Redirect,
        expand: impl FnOnce(&str) -> Vec<u8>,
    ) -> Told {
        let expanded;
        let target: &[u8] = match &self.target {
            Target::Url(url) if self.is_followed() => return Told::Header(Some(url.clone())),
            Target::Url(url) => url.as_bytes(),
            Target::Path(path) => path,
            Target::Text(text) => {
                expanded = expand(text);
                &expanded
            }
        };
        if !self.is_followed() {
            return Told::Body(Bytes::copy_from_slice(target));
        }
        let is_fine = target.iter().all(u8::is_ascii_graphic);
        Told::Header(if !is_fine {
            None
        } else if target.starts_with(b"/") {
            own.location(form, &[target])
        } else {
            super::location(&[target])
        })
    }

    /// Whether clients read `Location` in an answer of this status.
    fn is_followed(&self) -> bool {
        matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Own<'_> = Own { tls: true, host: b"a.test", port: "8443" };

    fn told(target: &str, status: u16, form: Redirect) -> Option<String> {
        let redirect =
            FixedRedirect::new(&headgate_config::FixedRedirect { target: target.into(), status });
        let expand = |text: &str| text.replace("$request_uri", "/x y").into_bytes();
        match redirect.tell(&OWN, form, expand) {
            Told::Header(header) => header.map(|text| text.to_str().unwrap().to_owned()),
            Told::Body(body) => Some(format!("body {}", String::from_utf8(body.into()).unwrap())),
        }
    }

    #[test]
    fn a_url_is_told_as_it_is_and_a_path_with_its_host() {
        let usual = Redirect::default();
        let relative = Redirect { relative: true, ..usual };
        let with_port = Redirect { with_port: true, ..usual };
        for (target, status, form, expected) in [
            ("https://b.test/x?y=1", 301, usual, "https://b.test/x?y=1"),
            ("https://b.test", 307, relative, "https://b.test"),
            ("/x", 308, usual, "https://a.test/x"),
            ("/x", 302, with_port, "https://a.test:8443/x"),
            ("/x", 303, relative, "/x"),
            ("/x", 300, usual, "body /x"),
            ("https://b.test", 306, usual, "body https://b.test"),
        ] {
            assert_eq!(told(target, status, form).as_deref(), Some(expected), "{target} {status}");
        }
    }

    #[test]
    fn what_a_client_sends_makes_no_second_header() {
        assert_eq!(told("https://b.test$request_uri", 301, Redirect::default()), None);
        assert_eq!(told("a b\n", 301, Redirect::default()), None);
    }
}
