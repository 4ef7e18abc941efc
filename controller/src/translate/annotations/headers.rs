//! Headers of answers, and `Connection` of requests (annotations §3.14, §3.18).

use std::sync::Arc;

use headgate_config::{AnswerHeaders, ConnectionHeader, Replacement};

use super::{
    Annotations,
    check::{BASIC, Check, FULL_REFERENCE, URL_SPACES},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{Low, Medium},
    },
    group::Group::Headers,
    values::Values,
};

mod custom;

const CONNECTION: Check =
    Check::choice(|value| matches!(value.trim(), "close" | "keep-alive"), "close or keep-alive");
const DOMAINS: Check =
    Check::new(|value| (BASIC.accepts)(value) && pair(value).is_some(), "off, or two domains");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("connection-proxy-header", CONNECTION, Refuse, Low).documented(
        Headers,
        "unset",
        "`Connection` header that the upstream sees. WebSockets are not upgraded then.",
    ),
    Definition::new("custom-headers", FULL_REFERENCE, Fallback, Medium).documented(
        Headers,
        "none",
        "ConfigMap with headers for answers. The main ConfigMap's `global-allowed-response-headers` has to list their names, with the same upper and lower case; their values are one line of printable ASCII. Anything else is 503, and so is a ConfigMap that does not exist.",
    ),
    Definition::new("proxy-cookie-domain", DOMAINS, Fallback, Medium).documented(
        Headers,
        "ConfigMap: `proxy-cookie-domain`, off",
        "Replaces the `Domain` of upstreams' cookies.",
    ),
    Definition::new("proxy-cookie-path", URL_SPACES, Fallback, Medium).documented(
        Headers,
        "ConfigMap: `proxy-cookie-path`, off",
        "Replaces the beginning of the `Path` of upstreams' cookies.",
    ),
    Definition::new("proxy-redirect-from", URL_SPACES, Fallback, Medium).documented(
        Headers,
        "ConfigMap: `proxy-redirect-from`, off",
        "Beginning that is replaced in `Location` and `Refresh` of answers.",
    ),
    Definition::new("proxy-redirect-to", URL_SPACES, Fallback, Medium).documented(
        Headers,
        "ConfigMap: `proxy-redirect-to`, off",
        "What it is replaced by.",
    ),
];

/// What is to happen to headers of answers, by annotations or by defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    /// `proxy-redirect-from`, if it is said.
    pub redirect_from: Option<String>,
    /// `proxy-redirect-to`, if it is said.
    pub redirect_to: Option<String>,
    /// All but redirects; with them after [`Wishes::settle`].
    made: AnswerHeaders,
    /// What comes of it, if anything does.
    settled: Option<Arc<AnswerHeaders>>,
}

impl Wishes {
    /// What happens to headers of answers, if anything does.
    pub fn settled(&self) -> Option<Arc<AnswerHeaders>> {
        self.settled.clone()
    }

    /// Takes `proxy-cookie-domain`.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub fn set_cookie_domain(&mut self, text: &str) -> Result<(), &'static str> {
        self.made.cookie_domain = pair(text).ok_or(DOMAINS.expects)?;
        Ok(())
    }

    /// Takes `proxy-cookie-path`.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub fn set_cookie_path(&mut self, text: &str) -> Result<(), &'static str> {
        self.made.cookie_path = pair(text).ok_or("off, or two paths")?;
        Ok(())
    }

    /// Says what comes of all of them together.
    pub fn settle(&mut self) {
        let said = |text: &Option<String>| {
            text.as_ref().filter(|text| !matches!(text.as_str(), "" | "off")).cloned()
        };
        // `default` is about the address of the upstream, which no answer of one has (annotations §3.18).
        let from = said(&self.redirect_from).filter(|from| from != "default");
        self.made.redirect =
            from.zip(said(&self.redirect_to)).map(|(from, to)| Replacement { from, to });
        self.settled = (!self.made.is_empty()).then(|| Arc::new(self.made.clone()));
    }
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    match values.text("connection-proxy-header").as_deref() {
        Some("close") => set_connection(annotations, ConnectionHeader::Close),
        Some("keep-alive") => set_connection(annotations, ConnectionHeader::KeepAlive),
        _ => {}
    }
    let wishes = &mut annotations.headers;
    let before = wishes.clone();
    if let Some(text) = values.text("proxy-cookie-domain") {
        // It has passed its check.
        let _ = wishes.set_cookie_domain(&text);
    }
    if let Some(text) = values.text("proxy-cookie-path")
        && let Err(expects) = wishes.set_cookie_path(&text)
    {
        values.warn(
            "InvalidAnnotation",
            format!(
                "proxy-cookie-path: {text:?} is not {expects}, and has no effect; give one of these"
            ),
        );
    }
    wishes.redirect_from = values.text("proxy-redirect-from").or(wishes.redirect_from.take());
    wishes.redirect_to = values.text("proxy-redirect-to").or(wishes.redirect_to.take());
    let mut problem = None;
    if let Some(reference) = values.text("custom-headers") {
        match custom::read(values, &reference) {
            Ok(headers) => wishes.made.custom = headers,
            Err(reason) => problem = Some(format!("custom-headers: {reason}")),
        }
    }
    if *wishes != before {
        wishes.settle();
    }
    if let Some(problem) = problem {
        annotations.deny(problem);
    }
}

fn set_connection(annotations: &mut Annotations, header: ConnectionHeader) {
    Arc::make_mut(&mut annotations.proxy).connection = Some(header);
}

/// `off`, or two words; otherwise nothing.
#[expect(clippy::option_option, reason = "no text at all is something else than off")]
fn pair(text: &str) -> Option<Option<Replacement>> {
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None | Some("off"), None, _) => Some(None),
        (Some(from), Some(to), None) => {
            Some(Some(Replacement { from: from.into(), to: to.into() }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
