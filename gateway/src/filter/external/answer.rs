//! What the answer of a service that was asked means for the request (annotations §3.7, "Result handling").

use std::time::SystemTime;

use headgate_config::protection::ExternalAuth;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{External, cache::Kept, freshness};
use crate::{field_name::is_alike, filter::request_headers::Override};

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request may pass.
    Pass,
    /// Nobody knows who the client is.
    Unauthorized,
    /// The client may not.
    Forbidden,
    /// The service cannot tell, or is not one that is to be asked.
    Unclear,
}

/// What a status decides.
pub fn decision(status: StatusCode) -> Decision {
    match status {
        _ if status.is_success() => Decision::Pass,
        StatusCode::UNAUTHORIZED => Decision::Unauthorized,
        StatusCode::FORBIDDEN => Decision::Forbidden,
        _ => Decision::Unclear,
    }
}

/// Cookies of the service for the client.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cookies {
    lines: Vec<HeaderValue>,
    always: bool,
}

impl Cookies {
    /// The cookies of an answer; `None` if it has none. With `always` the client gets them with every status.
    pub fn of(answer: &HeaderMap, always: bool) -> Option<Box<Self>> {
        let lines: Vec<_> = answer.get_all(header::SET_COOKIE).iter().map(copied).collect();
        (!lines.is_empty()).then(|| Box::new(Self { lines, always }))
    }

    /// Adds them to an answer for the client, if its status is one that takes them.
    pub fn add_to(self, status: StatusCode, headers: &mut HeaderMap) {
        let takes = self.always
            || matches!(status.as_u16(), 200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308);
        if takes {
            for line in self.lines {
                headers.append(header::SET_COOKIE, line);
            }
        }
    }
}

impl External {
    /// The headers that the upstream gets of an answer. [`wipe`] has removed the client's.
    pub fn overrides(&self, answer: &HeaderMap) -> Vec<Override<'static>> {
        let names = self.response_headers.iter().zip(&self.spec.response_headers);
        let set = names.filter_map(|(name, spelled)| {
            let lines: Vec<_> = answer.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            (!lines.is_empty()).then(|| Override::set(spelled.clone(), lines.join(&b", "[..])))
        });
        set.collect()
    }

    /// What is remembered of an answer about a request with the headers of `client`; `None` if nothing may be.
    pub fn kept(
        &self,
        status: StatusCode,
        answer: &HeaderMap,
        client: &HeaderMap,
        now: u32,
    ) -> Option<Kept> {
        let durations = &self.spec.cache_durations;
        let time = freshness::lifetime(status, answer, durations, SystemTime::now())?;
        let varies_by = freshness::varies_by(answer)?;
        let varies_by = varies_by.into_iter().map(|name| {
            let value = super::cache::whole(client, &name);
            (name, value)
        });
        let mut headers = HeaderMap::new();
        for name in self.response_headers.iter().chain([&header::WWW_AUTHENTICATE]) {
            if !headers.contains_key(name) {
                for value in answer.get_all(name) {
                    headers.append(name.clone(), copied(value));
                }
            }
        }
        let ticks = time.as_millis() / crate::clock::TICK.as_millis();
        let until = now.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX));
        Some(Kept { status, headers, until, varies_by: varies_by.collect() })
    }
}

/// Removes what only the service may say from the request of a client, whether the service is asked or not.
pub fn wipe(spec: &ExternalAuth, client: &HeaderMap) -> Vec<Override<'static>> {
    wipe_names(spec.response_headers.iter(), client)
}

/// Removes headers of these names from the request of a client. Upstreams that take `_` for `-` must not find the client's
/// instead.
pub fn wipe_names<'a>(
    names: impl Iterator<Item = &'a String>,
    client: &HeaderMap,
) -> Vec<Override<'static>> {
    let mut overrides = Vec::with_capacity(names.size_hint().0);
    for name in names {
        let alike = client.keys().map(HeaderName::as_str).filter(|other| is_alike(other, name));
        let alike = alike.filter(|other| !other.eq_ignore_ascii_case(name));
        overrides.extend(alike.map(|other| Override::remove(other.to_owned())));
        overrides.push(Override::remove(name.clone()));
    }
    overrides
}

/// A value that does not hold the rest of what was read with it.
pub fn copied(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headgate_config::{PathMatch, protection::ExternalAuth};

    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_success_passes() {
        for status in 100..600 {
            let expected = match status {
                200..300 => Decision::Pass,
                401 => Decision::Unauthorized,
                403 => Decision::Forbidden,
                _ => Decision::Unclear,
            };
            assert_eq!(decision(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }

    #[test]
    fn headers_are_the_services_or_nobodys() {
        let spec = ExternalAuth {
            url: "http://auth/".into(),
            response_headers: ["X-User", "X-Groups", "X-None"].map(Into::into).into(),
            ..ExternalAuth::default()
        };
        let external = External::new(&Arc::new(spec), "a", &PathMatch::Prefix("/".into())).unwrap();
        let answer = map(&[("x-user", "alice"), ("x-groups", "a"), ("x-groups", "b")]);
        let client = map(&[("x-user", "root"), ("x_user", "root"), ("x-none", "1"), ("a", "1")]);
        assert_eq!(
            wipe(&external.spec, &client),
            [
                Override::remove("x_user"),
                Override::remove("X-User"),
                Override::remove("X-Groups"),
                Override::remove("X-None"),
            ]
        );
        assert_eq!(
            external.overrides(&answer),
            [Override::set("X-User", &b"alice"[..]), Override::set("X-Groups", &b"a, b"[..])]
        );
    }

    #[test]
    fn cookies_go_with_the_statuses_that_take_them() {
        let answer = map(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]);
        let added = |always, status| {
            let mut headers = map(&[("set-cookie", "own=1")]);
            let status = StatusCode::from_u16(status).unwrap();
            Cookies::of(&answer, always).unwrap().add_to(status, &mut headers);
            headers.get_all("set-cookie").iter().count()
        };
        for (status, expected) in
            [(200, 3), (302, 3), (304, 3), (206, 3), (401, 1), (502, 1), (203, 1)]
        {
            assert_eq!((added(false, status), added(true, status)), (expected, 3), "{status}");
        }
        assert_eq!(Cookies::of(&map(&[]), true), None);
    }
}
