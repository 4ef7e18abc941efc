//! What a location makes of a request that its steps have left there: redirects, the rewrite, what an upstream is asked, and
//! which one.

use http::{HeaderValue, StatusCode};

use crate::{
    error::ProxyError,
    filter::{redirect, variables::Variables},
    listen::conn::Connection,
    live::{Approach, LiveConfig, LiveLocation},
    proxy::{
        answer::{self, Answer},
        choose::{Asked, Picked, pick_upstream},
        client_certificate,
        exchange::Exchange,
        inbound::Inbound,
        outbound::Outbound,
        place::{self, Place},
        snippet,
    },
    route::{rewrite::Rewritten, target::Target},
};

/// A request at its location, while it is found out what becomes of it there.
pub struct Case<'c, 'a> {
    /// The record of the request.
    pub exchange: &'c Exchange,
    /// The request.
    pub inbound: &'a Inbound,
    /// The connection that it came on.
    pub peer: &'a Connection,
    /// The configuration.
    pub live: &'a LiveConfig,
    /// Where it has led.
    pub place: &'c Place<'a>,
    /// What texts may name of it.
    pub variables: &'c Variables<'c>,
}

impl<'a> Case<'_, 'a> {
    /// Whether the steps of snippets were the last word: what annotations redirect and rewrite comes after them.
    fn is_stopped(&self) -> bool {
        self.exchange.snippet.as_ref().is_some_and(|state| state.is_stopped)
    }

    /// Where the location sends everybody, if it does.
    pub fn fixed_redirect(&self) -> Option<Answer> {
        let location = self.place.location;
        let redirect = location.fixed_redirect.as_ref().filter(|_| !self.is_stopped())?;
        let own = place::own(self.peer, self.place.name.as_bytes());
        let told = redirect.tell(&own, location.spec.redirect, |text| self.variables.expand(text));
        Some(Answer::elsewhere(redirect.status, told))
    }

    /// Says what an upstream is asked; the answer if the rewrite is one.
    pub fn prepare(&self, outbound: &mut Outbound<'a>) -> Result<Option<Answer>, ProxyError> {
        let Self { exchange, peer, live, variables, .. } = *self;
        let Place { target, page, host, location, .. } = self.place;
        outbound.overrides = client_certificate::overrides(peer, host);
        if let Some(headers) = &live.settings.request_headers {
            outbound.configured = headers.expand(variables);
        }
        if let Some(page) = page {
            outbound.ask_for_page(page);
        }
        if exchange.snippet.as_ref().is_some_and(|state| state.changes_target()) {
            outbound.rewritten = Some(snippet::upstream_target(target)?);
        }
        if !self.is_stopped()
            && let Some(answer) = rewrite(outbound, location, target, variables)?
        {
            return Ok(Some(answer));
        }
        if let Some(transport) = &location.transport {
            let (version, rewritten) = (exchange.version(), outbound.rewritten.as_ref());
            let asked = Approach { peer, host, version, rewritten };
            outbound.over = transport.over(&asked, variables).map(Box::new);
        }
        Ok(None)
    }

    /// Which upstream it is for; none if it is to be sent over HTTPS instead.
    pub fn pick(&self, scheme: &[u8], rewritten: Option<&HeaderValue>) -> Option<Picked> {
        let Self { inbound, live, variables, .. } = *self;
        let Place { name, host, location, .. } = self.place;
        let name = name.as_bytes();
        let has_certificate = &|| live.tls.has_certificate(name);
        if (redirect::HttpsDecision { scheme, has_certificate }).redirects(&location.spec) {
            return None;
        }
        let asked = Asked { inbound, host, name, location, variables, rewritten, live };
        Some(pick_upstream(&self.exchange.worker.upstreams, &asked))
    }
}

/// What a location's rewrite makes of a request: another target, or an answer.
fn rewrite(
    outbound: &mut Outbound<'_>,
    location: &LiveLocation,
    target: &Target<'_>,
    variables: &Variables<'_>,
) -> Result<Option<Answer>, ProxyError> {
    let Some(rewrite) = &location.rewrite else { return Ok(None) };
    let query = target.query().filter(|_| rewrite.keeps_query());
    match rewrite.apply(target, &|name| variables.value(name)) {
        Ok(Rewritten::Unchanged) => Ok(None),
        Err(_) => Err(ProxyError::EmptyRewrite),
        Ok(Rewritten::Redirect(url)) => {
            Ok(Some(Answer::redirect(StatusCode::FOUND, answer::with_query(url, query))))
        }
        Ok(Rewritten::Path { path, prefix }) => {
            let target = answer::with_query(path, query)
                .filter(|target| target.as_bytes().iter().all(|byte| *byte > b' '));
            outbound.rewritten = Some(target.ok_or(ProxyError::EmptyRewrite)?);
            // A prefix that no header can hold is not sent, and the client's own even less.
            let prefix = prefix.and_then(|prefix| HeaderValue::from_bytes(&prefix).ok());
            let decided = location
                .spec
                .rewrite
                .as_ref()
                .is_some_and(|rewrite| rewrite.forwarded_prefix.is_some());
            outbound.prefix =
                decided.then(|| Box::new(prefix.unwrap_or(HeaderValue::from_static(""))));
            Ok(None)
        }
    }
}
