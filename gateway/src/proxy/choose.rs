//! Which upstream a request goes to, and what decides about its endpoint there (annotations §3.0, step 9; §3.11–3.13).

use std::{rc::Rc, time::SystemTime};

use http::{HeaderMap, HeaderValue, header};

use super::{
    exchange::{Alternative, Exchange},
    inbound::Inbound,
};
use crate::{
    filter::{
        cookie::{self, Occasion},
        variables::Variables,
    },
    live::{LiveAction, LiveConfig, LiveHost, LiveLocation, LiveWhenEmpty},
    upstream::{
        WorkerUpstream, WorkerUpstreams,
        balance::{Choice, Policy, canary::Canary, sticky::Sticky},
    },
};

/// Which upstream a request goes to.
pub enum Picked {
    /// The location's own.
    Own(Rc<WorkerUpstream>),
    /// The location's own or one that gets a share of its requests, with what decides about the endpoint.
    Chosen(Chosen),
    /// The one for when the location's own has no endpoint.
    Fallback(Rc<WorkerUpstream>),
    /// None: this status is answered.
    Respond(u16),
}

/// An upstream that spreads requests in its own way.
pub struct Chosen {
    /// The upstream.
    pub upstream: Rc<WorkerUpstream>,
    /// How the endpoint is found.
    pub choice: Choice,
    /// Set if it is not the location's own.
    pub alternative: Option<Alternative>,
}

/// A request, as far as a choice may depend on it.
pub struct Asked<'a> {
    /// The request.
    pub inbound: &'a Inbound,
    /// Its host in the table.
    pub host: &'a LiveHost,
    /// Its host as it names it.
    pub name: &'a [u8],
    /// Its location.
    pub location: &'a LiveLocation,
    /// Its variables.
    pub variables: &'a Variables<'a>,
    /// The target that it was rewritten to.
    pub rewritten: Option<&'a HeaderValue>,
    /// The configuration.
    pub live: &'a LiveConfig,
}

/// Picks the upstream of a request.
pub fn pick_upstream(upstreams: &WorkerUpstreams, asked: &Asked<'_>) -> Picked {
    let (own, when_empty) = match &asked.location.action {
        LiveAction::Forward { upstream, when_empty } => (upstream, when_empty),
        LiveAction::Respond(status) => return Picked::Respond(*status),
        // These were answered before anybody picks.
        LiveAction::Deny | LiveAction::Health | LiveAction::ConnectionStatus => {
            return Picked::Respond(503);
        }
    };
    let own = upstreams.view(own);
    if !own.is_empty() {
        return match own.spread() {
            None => Picked::Own(own),
            Some(spread) => Picked::Chosen(asked.choose(upstreams, own, &spread.policy)),
        };
    }
    match when_empty {
        LiveWhenEmpty::Respond(status) => Picked::Respond(*status),
        LiveWhenEmpty::Fallback(fallback) => {
            let fallback = upstreams.view(fallback);
            if fallback.is_empty() { Picked::Respond(503) } else { Picked::Fallback(fallback) }
        }
    }
}

impl Asked<'_> {
    /// Primary or canary, and how the endpoint is found there.
    fn choose(
        &self,
        upstreams: &WorkerUpstreams,
        own: Rc<WorkerUpstream>,
        policy: &Policy,
    ) -> Chosen {
        let share = policy.canary.as_ref().and_then(|canary| {
            let other = upstreams.view(&canary.upstream);
            let spread = other.spread();
            let other_policy = spread.as_ref().map(|spread| &*spread.policy);
            let is_chosen = self.is_canary(policy, canary, &other, other_policy);
            is_chosen.then_some((canary, other, spread))
        });
        let Some((canary, upstream, spread)) = share else {
            return Chosen { upstream: own, choice: self.choice(policy), alternative: None };
        };
        let choice = spread.map(|spread| self.choice(&spread.policy)).unwrap_or_default();
        let (other, key) = (Rc::clone(&upstream), canary.key.clone());
        let alternative = Some(Alternative { primary: own, upstream: other, key });
        Chosen { upstream, choice, alternative }
    }

    /// Annotations §3.11, "Decision per request".
    fn is_canary(
        &self,
        primary: &Policy,
        canary: &Canary,
        upstream: &WorkerUpstream,
        policy: Option<&Policy>,
    ) -> bool {
        let headers = self.headers();
        let is_bound = |sticky: &Sticky| sticky.is_bound(headers);
        if upstream.is_empty() || primary.sticky.as_ref().is_some_and(is_bound) {
            return false;
        }
        let underscores = self.live.settings.spec.underscores_in_headers;
        policy.and_then(|policy| policy.sticky.as_ref()).is_some_and(is_bound)
            || canary.share.has(headers, underscores, &mut fastrand::Rng::new())
    }

    fn choice(&self, policy: &Policy) -> Choice {
        let Some(sticky) = &policy.sticky else {
            let target = self.rewritten.map(HeaderValue::as_bytes);
            let path = target.map(|target| target.split(|byte| *byte == b'?').next());
            return policy.choice(self.variables, path.flatten());
        };
        let path = &self.location.spec.origin.path;
        let may_set = sticky.may_set(&self.host.spec.name, self.name, path);
        Choice::Sticky(sticky.session(self.headers(), may_set))
    }

    fn headers(&self) -> &HeaderMap {
        &self.inbound.parts.headers
    }
}

/// The cookie for a client that was given a new endpoint of `upstream`.
pub fn affinity_cookie(
    exchange: &Exchange,
    upstream: &WorkerUpstream,
    location: &LiveLocation,
    inbound: &Inbound,
) -> Option<HeaderValue> {
    let Choice::Sticky(session) = &exchange.choice else { return None };
    let fresh = session.fresh()?;
    let spread = upstream.spread()?;
    let sticky = spread.policy.sticky.as_ref()?;
    let user_agent = inbound.parts.headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
    let occasion = Occasion {
        path: &location.spec.origin.path,
        tls: exchange.connection.tls,
        user_agent,
        now: SystemTime::now(),
    };
    cookie::affinity(sticky.cookie(), &sticky.value(fresh), &occasion)
}
