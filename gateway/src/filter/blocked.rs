//! Requests that are refused everywhere: by the client's address, its `User-Agent`, its `Referer` (`block-cidrs`,
//! `block-user-agents`, `block-referers`). No I/O.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, StatusCode, header};

use super::{
    access::AddressSet,
    texts::{TextError, Texts},
};

/// Who gets nothing.
pub struct Blocked {
    networks: AddressSet,
    user_agents: Texts,
    referers: Texts,
    /// What is wrong with each text that is no usable pattern. As long as there is one, nobody gets anything.
    pub errors: Vec<TextError>,
}

impl Blocked {
    /// Compiles `spec`; nothing if nobody is blocked.
    pub fn new(spec: &headgate_config::Blocked) -> Option<Box<Self>> {
        let mut errors = Vec::new();
        let blocked = Self {
            networks: AddressSet::new(&spec.networks),
            user_agents: Texts::new(&spec.user_agents, &mut errors),
            referers: Texts::new(&spec.referers, &mut errors),
            errors,
        };
        let texts = spec.user_agents.len() + spec.referers.len();
        (texts > 0 || !blocked.networks.is_empty()).then(|| Box::new(blocked))
    }

    /// The status that a request is refused with, if it is.
    pub fn refuses(&self, client: IpAddr, headers: &HeaderMap) -> Option<StatusCode> {
        if !self.errors.is_empty() {
            return Some(StatusCode::SERVICE_UNAVAILABLE);
        }
        let is_blocked = self.networks.contains(client)
            || match_any(&self.user_agents, headers, &header::USER_AGENT)
            || match_any(&self.referers, headers, &header::REFERER);
        is_blocked.then_some(StatusCode::FORBIDDEN)
    }
}

/// Whether one of the values of a header is among texts. A header that is absent has an empty one.
fn match_any(texts: &Texts, headers: &HeaderMap, name: &HeaderName) -> bool {
    if texts.is_empty() {
        return false;
    }
    let mut values = headers.get_all(name).iter().map(|value| value.as_bytes()).peekable();
    if values.peek().is_none() {
        return texts.matches(b"");
    }
    values.any(|value| texts.matches(value))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn blocked(networks: &[&str], user_agents: &[&str]) -> Option<Box<Blocked>> {
        Blocked::new(&headgate_config::Blocked {
            networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
            user_agents: user_agents.iter().map(ToString::to_string).collect(),
            ..headgate_config::Blocked::default()
        })
    }

    /// The status that a request with these values of `User-Agent` is refused with.
    fn refused(blocked: &Blocked, values: &[&str]) -> Option<u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::USER_AGENT, HeaderValue::from_str(value).unwrap());
        }
        blocked.refuses("192.0.2.1".parse().unwrap(), &headers).map(|status| status.as_u16())
    }

    #[test]
    fn nothing_is_no_list() {
        assert!(blocked(&[], &[]).is_none());
    }

    #[test]
    fn a_text_is_a_whole_value_and_a_pattern_is_found_anywhere() {
        let lists =
            blocked(&[], &["AlphaBot", "~Curl/[0-7]", r"~*chrome\/68\.0\ safari", "~^x(?!y)"]);
        let lists = lists.unwrap();
        for (value, status) in [
            ("alphabot", Some(403)),
            ("AlphaBot/1", None),
            ("Curl/7.1", Some(403)),
            ("curl/7.1", None),
            ("Mozilla Chrome/68.0 Safari", Some(403)),
            ("Mozilla Chrome/68x0 Safari", None),
            ("xz", Some(403)),
            ("xy", None),
        ] {
            assert_eq!(refused(&lists, &[value]), status, "{value}");
        }
        assert_eq!(refused(&lists, &["fine", "AlphaBot"]), Some(403), "any of them");
        assert_eq!(refused(&lists, &[]), None);
        assert_eq!(refused(&blocked(&[], &["~^$"]).unwrap(), &[]), Some(403), "absent is empty");
    }

    #[test]
    fn addresses_are_blocked_whatever_they_send() {
        assert_eq!(refused(&blocked(&["192.0.2.0/24"], &[]).unwrap(), &[]), Some(403));
        assert_eq!(refused(&blocked(&["192.0.3.0/24"], &[]).unwrap(), &[]), None);
    }

    #[test]
    fn a_pattern_that_cannot_be_used_blocks_everybody() {
        let lists = blocked(&[], &["~a(", "~*b)", "fine"]).unwrap();
        assert_eq!(refused(&lists, &["fine"]), Some(503));
        assert_eq!(refused(&lists, &["other"]), Some(503));
        assert_eq!(lists.errors.len(), 2);
        assert!(
            lists.errors[0].to_string().starts_with("\"~a(\" is no usable"),
            "{:?}",
            lists.errors
        );
    }
}
