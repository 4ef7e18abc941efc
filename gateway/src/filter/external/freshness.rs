//! How long an answer may be remembered: what it says itself, or what is configured for its status (annotations §3.7,
//! "Caching").

use std::time::{Duration, SystemTime};

use headgate_config::protection::CacheDuration;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The statuses of a duration without any.
const USUAL: [u16; 3] = [200, 301, 302];
const X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");

/// How long; `None` if not at all.
pub fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    durations: &[CacheDuration],
    now: SystemTime,
) -> Option<Duration> {
    let configured = configured(status, durations);
    // A cookie is for one client. An error that nobody asked to remember is looked at again.
    let is_decision =
        status.is_success() || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if headers.contains_key(header::SET_COOKIE) || !(is_decision || configured.is_some()) {
        return None;
    }
    match said(headers, now) {
        Said::Never => None,
        Said::For(time) => Some(time),
        Said::Nothing => configured,
    }
    .filter(|time| !time.is_zero())
}

/// The headers of a request that an answer depends on; `None` if nobody knows which.
pub fn varies_by(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let lines = headers.get_all(header::VARY).iter();
    let names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let names = names.map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
    names
        .map(|name| HeaderName::from_bytes(name).ok().filter(|name| name.as_str() != "*"))
        .collect()
}

fn configured(status: StatusCode, durations: &[CacheDuration]) -> Option<Duration> {
    let holds = |duration: &&CacheDuration| match duration.statuses.as_slice() {
        [] => USUAL.contains(&status.as_u16()),
        statuses => statuses.contains(&status.as_u16()),
    };
    durations.iter().find(holds).map(|duration| duration.time)
}

enum Said {
    Nothing,
    Never,
    For(Duration),
}

/// What an answer says about itself: the reference's own header first, then `Cache-Control`, then `Expires`.
fn said(headers: &HeaderMap, now: SystemTime) -> Said {
    if let Some(text) = headers.get(X_ACCEL_EXPIRES).and_then(|value| value.to_str().ok()) {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time = match text.strip_prefix('@') {
            Some(moment) => {
                moment.parse().ok().map(|moment: u64| moment.saturating_sub(now.as_secs()))
            }
            None => text.parse().ok(),
        };
        match time {
            Some(0) => return Said::Never,
            Some(seconds) => return Said::For(Duration::from_secs(seconds)),
            None => {}
        }
    }
    let mut age = None;
    let lines = headers.get_all(header::CACHE_CONTROL).iter();
    for directive in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
        let directive = directive.trim_ascii().to_ascii_lowercase();
        let (name, value) = match directive.iter().position(|byte| *byte == b'=') {
            Some(at) => (&directive[..at], &directive[at + 1..]),
            None => (&directive[..], &b""[..]),
        };
        match name {
            b"no-cache" | b"no-store" | b"private" => return Said::Never,
            b"s-maxage" => age = Some((true, seconds(value))),
            b"max-age" if !matches!(age, Some((true, _))) => age = Some((false, seconds(value))),
            _ => {}
        }
    }
    if let Some((_, age)) = age {
        return age.map_or(Said::Never, |age| Said::For(Duration::from_secs(age)));
    }
    match headers.get(header::EXPIRES) {
        None => Said::Nothing,
        Some(moment) => until(moment, now).map_or(Said::Never, Said::For),
    }
}

fn seconds(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim_matches('"');
    text.parse().ok().filter(|seconds| *seconds > 0)
}

fn until(moment: &HeaderValue, now: SystemTime) -> Option<Duration> {
    httpdate::parse_http_date(moment.to_str().ok()?).ok()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(status: u16, headers: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let durations = [
            CacheDuration { statuses: vec![200, 401], time: Duration::from_secs(300) },
            CacheDuration { statuses: vec![], time: Duration::from_secs(7) },
            CacheDuration { statuses: vec![404], time: Duration::from_secs(9) },
        ];
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        lifetime(StatusCode::from_u16(status).unwrap(), &map, &durations, now)
            .map(|time| time.as_secs())
    }

    #[test]
    fn the_status_decides_where_the_answer_says_nothing() {
        for (status, expected) in [
            (200, Some(300)),
            (401, Some(300)),
            (404, Some(9)),
            (302, Some(7)),
            (202, None),
            (403, None),
            (500, None),
        ] {
            assert_eq!(kept(status, &[]), expected, "{status}");
        }
    }

    #[test]
    fn an_answer_knows_better() {
        for (headers, expected) in [
            (&[("set-cookie", "a=b")][..], None),
            (&[("cache-control", "public, max-age=5")], Some(5)),
            (&[("cache-control", "max-age=5"), ("cache-control", "s-maxage=6")], Some(6)),
            (&[("cache-control", "s-maxage=6, max-age=5")], Some(6)),
            (&[("cache-control", "max-age=5, private")], None),
            (&[("cache-control", "No-Store")], None),
            (&[("cache-control", "private=\"x\"")], None),
            (&[("cache-control", "max-age=0")], None),
            (&[("cache-control", "max-age=soon")], None),
            (&[("cache-control", "must-revalidate")], Some(300)),
            (&[("expires", "Sun, 09 Sep 2001 01:46:50 GMT")], Some(10)),
            (&[("expires", "Sun, 09 Sep 2001 01:46:30 GMT")], None),
            (&[("expires", "0")], None),
            (&[("expires", "0"), ("cache-control", "max-age=5")], Some(5)),
            (&[("x-accel-expires", "8"), ("cache-control", "no-store")], Some(8)),
            (&[("x-accel-expires", "@1000000004")], Some(4)),
            (&[("x-accel-expires", "0")], None),
        ] {
            assert_eq!(kept(200, headers), expected, "{headers:?}");
        }
        assert_eq!(kept(204, &[("cache-control", "max-age=5")]), Some(5));
        assert_eq!(kept(500, &[("cache-control", "max-age=5")]), None, "looked at again");
    }

    #[test]
    fn what_an_answer_varies_by() {
        let names = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::VARY, HeaderValue::from_static(value));
            varies_by(&headers)
        };
        assert_eq!(names("Cookie, , X-A"), Some(vec![header::COOKIE, "x-a".parse().unwrap()]));
        assert_eq!((names("Cookie, *"), names("a b")), (None, None));
        assert_eq!(varies_by(&HeaderMap::new()), Some(vec![]));
    }
}
