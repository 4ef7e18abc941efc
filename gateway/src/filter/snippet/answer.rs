//! What a snippet changes in the head of an answer: `proxy_hide_header`, `more_set_headers`, `more_clear_headers`, then
//! `add_header` and `expires`, as nginx's filters follow each other.

use std::time::{Duration, SystemTime};

use headgate_config::snippet::{AddedHeader, AnswerRule, Expires, HeaderAction, Policy};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

use super::{Facts, Scope};

/// An answer's head, and where it comes from.
pub struct Head<'h> {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'h mut HeaderMap,
    /// Whether an upstream has made it.
    pub is_upstreams: bool,
}

/// Changes the head of an answer. `scope` gives what texts may name beside these headers.
pub fn apply(policy: &Policy, head: Head<'_>, scope: Scope<'_>) {
    let Head { status, headers, is_upstreams } = head;
    let plan = Plan::of(policy, status, headers, scope);
    if is_upstreams {
        for name in &policy.hidden {
            headers.remove(name.as_str());
        }
    }
    for change in plan.changes {
        change.apply(headers);
    }
    for (name, value) in plan.added {
        add(headers, name, value);
    }
    if is_safe(status)
        && let Some(expires) = policy.expires
    {
        expire(expires, headers, SystemTime::now());
    }
}

/// What is to be changed: all values are found out before the first header is another.
struct Plan<'p> {
    changes: SmallVec<[Change<'p>; 4]>,
    added: SmallVec<[(HeaderName, HeaderValue); 4]>,
}

enum Change<'p> {
    Set(HeaderName, HeaderValue),
    Append(HeaderName, HeaderValue),
    Clear(&'p str),
    ClearPrefix(&'p str),
}

impl<'p> Plan<'p> {
    fn of(policy: &'p Policy, status: u16, headers: &HeaderMap, scope: Scope<'_>) -> Self {
        let facts = Facts { answer: Some((status, headers)), ..scope.facts };
        let scope = Scope { facts, ..scope };
        let rules = policy.answer.iter().filter(|rule| is_meant(rule, status, headers));
        let changes = rules.filter_map(|rule| Change::of(&rule.action, scope)).collect();
        let added = policy.added.iter().filter(|header| header.always || is_safe(status));
        let added = added.filter_map(|AddedHeader { name, value, .. }| {
            let value = scope.header(value).filter(|value| !value.is_empty())?;
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        });
        Self { changes, added: added.collect() }
    }
}

impl<'p> Change<'p> {
    fn of(action: &'p HeaderAction, scope: Scope<'_>) -> Option<Self> {
        let name = |name: &str| HeaderName::from_bytes(name.as_bytes()).ok();
        Some(match action {
            HeaderAction::Clear(name) => Self::Clear(name),
            HeaderAction::ClearPrefix(start) => Self::ClearPrefix(start),
            HeaderAction::Append { name: own, value } => {
                let value = scope.header(value).filter(|value| !value.is_empty())?;
                Self::Append(name(own)?, value)
            }
            // A value that no header can have leaves none, rather than the one that was to be replaced.
            HeaderAction::Set { name: own, value } => {
                let value = scope.header(value).unwrap_or(HeaderValue::from_static(""));
                Self::Set(name(own)?, value)
            }
        })
    }

    fn apply(self, headers: &mut HeaderMap) {
        match self {
            Self::Set(name, value) if value.is_empty() => {
                headers.remove(name);
            }
            Self::Set(name, value) => {
                headers.insert(name, value);
            }
            Self::Append(name, value) => {
                headers.append(name, value);
            }
            Self::Clear(name) => {
                headers.remove(name);
            }
            Self::ClearPrefix(start) => {
                let is_meant = |name: &&HeaderName| {
                    name.as_str().starts_with(start) && *name != header::CONNECTION
                };
                let names = headers.keys().filter(is_meant);
                for name in names.cloned().collect::<Vec<_>>() {
                    headers.remove(name);
                }
            }
        }
    }
}

/// Whether a rule is about answers like this.
fn is_meant(rule: &AnswerRule, status: u16, headers: &HeaderMap) -> bool {
    let is_status = rule.statuses.is_empty() || rule.statuses.contains(&status);
    is_status && (rule.types.is_empty() || is_one_of(&rule.types, headers))
}

/// Whether the type of a message's content is one of these, which are in lower case.
pub fn is_one_of(types: &[String], headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    let kind = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    types.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(kind.trim_ascii()))
}

/// Statuses whose answers get headers without `always`.
fn is_safe(status: u16) -> bool {
    matches!(status, 200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308)
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if name == header::LAST_MODIFIED || name == header::ETAG {
        headers.insert(name, value);
    } else {
        headers.append(name, value);
    }
}

const YEARS: i64 = 315_360_000;

fn expire(expires: Expires, headers: &mut HeaderMap, now: SystemTime) {
    let fixed = |date, control| (HeaderValue::from_static(date), HeaderValue::from_static(control));
    let (date, control) = match expires {
        Expires::Off => return,
        Expires::Epoch => fixed("Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"),
        Expires::Max => {
            let control = format!("max-age={YEARS}");
            let date = HeaderValue::from_static("Thu, 31 Dec 2037 23:55:55 GMT");
            (date, HeaderValue::try_from(control).unwrap_or(HeaderValue::from_static("no-cache")))
        }
        Expires::After(seconds) => until(now, seconds, now),
        Expires::AfterModified(seconds) => {
            let modified = headers.get(header::LAST_MODIFIED);
            let modified =
                modified.and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
            until(modified.unwrap_or(now), seconds, now)
        }
        Expires::Daily(second) => {
            const DAY: u64 = 86_400;
            let today =
                now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() % DAY;
            let left = (u64::from(second) + DAY - today) % DAY;
            until(now, i64::try_from(left).unwrap_or_default(), now)
        }
    };
    headers.insert(header::EXPIRES, date);
    headers.insert(header::CACHE_CONTROL, control);
}

/// The headers for a moment that comes so many seconds after `from`.
fn until(from: SystemTime, seconds: i64, now: SystemTime) -> (HeaderValue, HeaderValue) {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let moment = if seconds < 0 { from.checked_sub(distance) } else { from.checked_add(distance) };
    let moment = moment.unwrap_or(from).max(SystemTime::UNIX_EPOCH);
    let date = HeaderValue::try_from(httpdate::fmt_http_date(moment));
    let left = moment
        .duration_since(now)
        .map_or(-1, |left| i64::try_from(left.as_secs()).unwrap_or(YEARS));
    let control = if left < 0 || seconds < 0 {
        HeaderValue::from_static("no-cache")
    } else {
        HeaderValue::try_from(format!("max-age={left}"))
            .unwrap_or(HeaderValue::from_static("no-cache"))
    };
    (date.unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:01 GMT")), control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expired(expires: Expires, now: u64) -> (String, String) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        headers.insert(
            header::LAST_MODIFIED,
            HeaderValue::from_static("Thu, 01 Jan 1970 00:00:10 GMT"),
        );
        expire(expires, &mut headers, SystemTime::UNIX_EPOCH + Duration::from_secs(now));
        let text = |name| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        (text(header::EXPIRES), text(header::CACHE_CONTROL))
    }

    #[test]
    fn how_long_an_answer_may_be_kept() {
        for (expires, date, control) in [
            (Expires::Off, "", "private"),
            (Expires::Epoch, "Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"),
            (Expires::Max, "Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000"),
            (Expires::After(60), "Thu, 01 Jan 1970 00:01:40 GMT", "max-age=60"),
            (Expires::After(0), "Thu, 01 Jan 1970 00:00:40 GMT", "max-age=0"),
            (Expires::After(-1), "Thu, 01 Jan 1970 00:00:39 GMT", "no-cache"),
            (Expires::AfterModified(60), "Thu, 01 Jan 1970 00:01:10 GMT", "max-age=30"),
            (Expires::Daily(100), "Thu, 01 Jan 1970 00:01:40 GMT", "max-age=60"),
            (Expires::Daily(20), "Fri, 02 Jan 1970 00:00:20 GMT", "max-age=86380"),
        ] {
            assert_eq!(expired(expires, 40), (date.into(), control.into()), "{expires:?}");
        }
    }
}
