//! Cookies: those of a request, and the one that binds a client to an endpoint (annotations §3.12).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headgate_config::balance::{AffinityCookie, SameSite};
use http::{HeaderMap, HeaderValue, header};

/// The last second that dates are written for: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
/// Dates after this year are written with all its digits.
const LAST_SHORT_YEAR: &str = "2037";

/// The first cookie of this name, without regard to case.
pub fn first<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut cookies = all(headers);
    cookies.find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
}

/// The last cookie of this very name.
pub fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    all(headers).filter(|(key, _)| *key == name.as_bytes()).last().map(|(_, value)| value)
}

fn all(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let at = memchr::memchr(b'=', pair)?;
        Some((pair[..at].trim_ascii_end(), pair[at + 1..].trim_ascii_start()))
    })
}

/// What an affinity cookie depends on besides its configuration.
pub struct Occasion<'a> {
    /// Path of the location's rule.
    pub path: &'a str,
    /// Whether the request came over TLS.
    pub tls: bool,
    /// `User-Agent` of the request.
    pub user_agent: Option<&'a [u8]>,
    /// Now.
    pub now: SystemTime,
}

/// The line `Set-Cookie` of an affinity; its attributes come in the reference's order.
pub fn affinity(
    spec: &AffinityCookie,
    value: &str,
    occasion: &Occasion<'_>,
) -> Option<HeaderValue> {
    let mut line = format!("{}={value}", spec.name);
    let mut add = |name: &str, value: &str| {
        for part in ["; ", name, "=", value] {
            line.push_str(part);
        }
    };
    if let Some(seconds) = spec.expires {
        add("Expires", &date(occasion.now, seconds));
    }
    if let Some(seconds) = spec.max_age {
        add("Max-Age", &seconds.to_string());
    }
    if let Some(domain) = &spec.domain {
        add("Domain", domain);
    }
    let path = spec.path.as_deref().unwrap_or(occasion.path);
    // What would end the attribute is no path that a browser could have asked for.
    add("Path", if path.contains(';') { "/" } else { path });
    if spec.secure || occasion.tls {
        line.push_str("; Secure");
    }
    line.push_str("; HttpOnly");
    match spec.same_site {
        None => {}
        Some(SameSite::Lax) => line.push_str("; SameSite=Lax"),
        Some(SameSite::Strict) => line.push_str("; SameSite=Strict"),
        Some(SameSite::None) if spec.conditional_same_site && misreads_none(occasion) => {}
        Some(SameSite::None) => line.push_str("; SameSite=None"),
    }
    HeaderValue::try_from(line).ok()
}

/// Seconds from now, as cookies have it: `Thu, 18-Nov-10 11:27:35 GMT`.
fn date(now: SystemTime, seconds: i64) -> String {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let moment = now.saturating_add_signed(seconds).min(LAST_SECOND);
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(moment));
    // Always of the form `Thu, 18 Nov 2010 11:27:35 GMT`.
    let (Some(day), Some(month), Some(year), Some(rest)) =
        (text.get(..7), text.get(8..11), text.get(12..16), text.get(16..))
    else {
        return text;
    };
    let year = if year > LAST_SHORT_YEAR { year } else { &year[2..] };
    format!("{day}-{month}-{year}{rest}")
}

/// Whether a browser takes `SameSite=None` for something else.
fn misreads_none(occasion: &Occasion<'_>) -> bool {
    let Some(agent) = occasion.user_agent else { return false };
    let has = |text: &str| memchr::memmem::find(agent, text.as_bytes()).is_some();
    ["Chrome/4", "Chrome/5", "Chrome/6", "CPU iPhone OS 12", "iPad; CPU OS 12"].into_iter().any(has)
        || (["Macintosh", "Intel Mac OS X 10_14", "Safari"].into_iter().all(has) && !has("Chrome"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: AffinityCookie = AffinityCookie {
        name: String::new(),
        expires: None,
        max_age: None,
        domain: None,
        path: None,
        secure: false,
        same_site: None,
        conditional_same_site: false,
        change_on_failure: false,
    };

    fn line(spec: AffinityCookie, tls: bool, user_agent: Option<&str>) -> String {
        let spec = AffinityCookie { name: "sid".into(), ..spec };
        let occasion = Occasion {
            path: "/app",
            tls,
            user_agent: user_agent.map(str::as_bytes),
            now: UNIX_EPOCH + Duration::from_secs(1_290_079_655),
        };
        affinity(&spec, "k|b", &occasion).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn attributes_have_their_order() {
        assert_eq!(line(PLAIN, false, None), "sid=k|b; Path=/app; HttpOnly");
        let full = AffinityCookie {
            expires: Some(0),
            max_age: Some(-1),
            domain: Some("a.test".into()),
            path: Some("/p".into()),
            secure: true,
            same_site: Some(SameSite::Strict),
            ..PLAIN
        };
        assert_eq!(
            line(full, false, None),
            "sid=k|b; Expires=Thu, 18-Nov-10 11:27:35 GMT; Max-Age=-1; Domain=a.test; Path=/p; Secure; HttpOnly; SameSite=Strict"
        );
        assert_eq!(line(PLAIN, true, None), "sid=k|b; Path=/app; Secure; HttpOnly");
    }

    #[test]
    fn dates_have_two_digits_of_the_year_as_long_as_browsers_understand_them() {
        for (seconds, expected) in [
            (0, "Thu, 18-Nov-10 11:27:35 GMT"),
            (-1, "Thu, 18-Nov-10 11:27:34 GMT"),
            (900_000_000, "Fri, 27-May-2039 03:27:35 GMT"),
            (i64::MAX, "Fri, 31-Dec-9999 23:59:59 GMT"),
            (i64::MIN, "Thu, 01-Jan-70 00:00:00 GMT"),
        ] {
            let now = UNIX_EPOCH + Duration::from_secs(1_290_079_655);
            assert_eq!(date(now, seconds), expected);
        }
    }

    #[test]
    fn a_path_cannot_add_attributes() {
        let spec = AffinityCookie { path: Some("/; Domain=b.test".into()), ..PLAIN };
        assert_eq!(line(spec, false, None), "sid=k|b; Path=/; HttpOnly");
    }

    #[test]
    fn same_site_none_is_left_out_for_browsers_that_misread_it_if_wanted() {
        let spec = |conditional_same_site| AffinityCookie {
            same_site: Some(SameSite::None),
            conditional_same_site,
            ..PLAIN
        };
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) Version/12.1 Safari/605";
        for (agent, is_said) in [
            (None, true),
            (Some("Chrome/80.0"), true),
            (Some("Chrome/65.0"), false),
            (Some("(iPhone; CPU iPhone OS 12_0 like Mac OS X)"), false),
            (Some("(iPad; CPU OS 12_0)"), false),
            (Some(mac), false),
            (Some(&*mac.replace("Version", "Chrome/80 Version")), true),
        ] {
            assert_eq!(line(spec(true), true, agent).contains("SameSite"), is_said, "{agent:?}");
            assert!(line(spec(false), true, agent).ends_with("; SameSite=None"));
        }
    }

    #[test]
    fn of_cookies_with_one_name_the_first_or_the_last_counts() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; B=2;c"));
        headers.append(header::COOKIE, HeaderValue::from_static("b = 3 ; a=4"));
        assert_eq!(first(&headers, "b"), Some(&b"2"[..]));
        assert_eq!(last(&headers, "b"), Some(&b"3"[..]));
        assert_eq!(last(&headers, "a"), Some(&b"4"[..]));
        assert_eq!((first(&headers, "c"), last(&headers, "C")), (None, None));
    }
}
