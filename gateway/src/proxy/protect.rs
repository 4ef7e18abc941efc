//! What a request has to pass between the choice of its upstream and being sent there: limits, then who may come
//! (annotations §3.0, steps 10 and 11; §3.8 for `satisfy`).
//!
//! Each check is a file of `filter`; this one knows their order and what becomes of what they say.

use std::{ops::ControlFlow, pin::Pin};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    answer::Answer, decide, exchange::Exchange, external, inbound::Inbound, outbound::Outbound,
    token,
};
use crate::{
    clock,
    error::ProxyError,
    filter::{
        external::answer::{wipe, wipe_names},
        password::{Asking, Passage},
        request_headers::{Client, Override},
        sign_in,
        variables::Variables,
    },
    live::{Check, LiveConfig, LiveLocation, LiveProtection},
    route::{name::HostName, target::Target},
};

/// A request at a location that is protected.
pub struct Guarded<'a> {
    /// The request as it came.
    pub inbound: &'a Inbound,
    /// The host that it asks for.
    pub name: HostName<'a>,
    /// Its normalised path and query.
    pub target: Target<'a>,
    /// The location.
    pub location: &'a LiveLocation,
    /// What protects it.
    pub protection: &'a LiveProtection,
    /// The configuration that it is served by.
    pub live: &'a LiveConfig,
}

impl<'a> Guarded<'a> {
    /// The client, as far as its headers are believed.
    pub fn client(&'a self, exchange: &'a Exchange) -> Client<'a> {
        self.inbound.client(&exchange.connection, &self.live.settings.spec.forwarded)
    }

    /// Variables for configured texts.
    pub fn variables(&'a self, exchange: &'a Exchange, client: &Client<'a>) -> Variables<'a> {
        let (name, origin) = (self.name.as_bytes(), &self.location.spec.origin);
        decide::variables(exchange, self.inbound, client, &self.target, name, origin)
    }
}

/// What a check says.
pub enum Ruling {
    /// The request may pass.
    Pass,
    /// It may not.
    Refuse(Refusal),
}

/// An answer instead of the upstream's: the stock page of a status.
#[derive(Debug, Default)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Headers that go with it.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// The stock page of a status, and nothing else.
    pub fn of(status: StatusCode) -> Self {
        Self { status, headers: Vec::new() }
    }
}

/// Checks a request; the answer if it may not pass. The future is in a box: most requests have nothing to pass, and do
/// not carry its state along.
pub fn check<'a>(
    exchange: &'a mut Exchange,
    outbound: &'a mut Outbound<'_>,
    guarded: Box<Guarded<'a>>,
) -> Pin<Box<dyn Future<Output = Option<Box<Answer>>> + 'a>> {
    Box::pin(async move {
        let ruling = match limit(exchange, &guarded).await {
            Ruling::Pass => admit(exchange, outbound, &guarded).await,
            refusal @ Ruling::Refuse(_) => Ok(refusal),
        };
        match ruling {
            Ok(Ruling::Pass) => None,
            Ok(Ruling::Refuse(refusal)) => {
                Some(Box::new(Answer::refusal(sign_in(exchange, &guarded, refusal))))
            }
            Err(error) => Some(Box::new(Answer::from(error))),
        }
    })
}

/// All that protect who may come have to say yes, or one of them has to.
async fn admit(
    exchange: &mut Exchange,
    outbound: &mut Outbound<'_>,
    guarded: &Guarded<'_>,
) -> Result<Ruling, ProxyError> {
    let protection = guarded.protection;
    outbound.overrides.extend(withheld(protection, &guarded.inbound.parts.headers));
    let mut rulings = Rulings::new(protection.spec.any_is_enough);
    for check in &protection.checks {
        let ruling = match check {
            Check::Access => access(exchange, guarded),
            Check::Password => password(exchange, guarded).await,
            Check::Token => token::check(exchange, outbound, guarded).await,
            Check::External => external::ask(exchange, outbound, guarded).await,
        };
        if let ControlFlow::Break(ruling) = rulings.add(ruling) {
            return Ok(ruling);
        }
    }
    Ok(rulings.end())
}

/// The client's headers that nobody behind the gateway gets as they are: credentials that are for the gateway, and what
/// says who a client is.
pub fn withheld(protection: &LiveProtection, client: &HeaderMap) -> Vec<Override<'static>> {
    let mut withheld = Vec::new();
    if let Some(service) = &protection.spec.external {
        // Also where another check is enough, and the service is not asked.
        withheld.extend(wipe(service, client));
    }
    let claims = protection.spec.token.iter().flat_map(|token| &token.claim_headers);
    let names = claims.map(|claim| &claim.header).chain(&protection.spec.removed_headers);
    withheld.extend(wipe_names(names, client));
    if protection.password.is_some() {
        // Whoever lets the request pass in the end.
        withheld.push(Override::remove("Authorization"));
    }
    withheld
}

/// How many requests the client may make. The exchange counts as one on its way from now on.
async fn limit(exchange: &mut Exchange, guarded: &Guarded<'_>) -> Ruling {
    let Some(limits) = &guarded.protection.limits else { return Ruling::Pass };
    let client = guarded.inbound.client_address(&exchange.connection);
    match limits.admit(client, clock::milliseconds(exchange.started())).await {
        Ok(permit) => {
            exchange.permit = permit;
            Ruling::Pass
        }
        Err(status) => {
            let status = StatusCode::from_u16(status);
            Ruling::Refuse(Refusal::of(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE)))
        }
    }
}

/// Which addresses may come.
fn access(exchange: &Exchange, guarded: &Guarded<'_>) -> Ruling {
    let client = guarded.inbound.client_address(&exchange.connection);
    match &guarded.protection.access {
        Some(access) if !access.admits(client) => {
            Ruling::Refuse(Refusal::of(StatusCode::FORBIDDEN))
        }
        _ => Ruling::Pass,
    }
}

/// User name and password.
async fn password(exchange: &Exchange, guarded: &Guarded<'_>) -> Ruling {
    let Some(password) = &guarded.protection.password else { return unavailable() };
    let parts = &guarded.inbound.parts;
    let mut lines = parts.headers.get_all(header::AUTHORIZATION).iter();
    let asking = Asking {
        // Of two, somebody else might believe the other.
        authorization: lines.next().filter(|_| lines.next().is_none()).map(HeaderValue::as_bytes),
        method: parts.method.as_str(),
        target: guarded.inbound.raw_target(),
        client: guarded.inbound.client_address(&exchange.connection),
    };
    match password.check(asking).await {
        Passage::Granted => Ruling::Pass,
        Passage::Asked(challenge) => Ruling::Refuse(Refusal {
            status: StatusCode::UNAUTHORIZED,
            headers: vec![(header::WWW_AUTHENTICATE, challenge)],
        }),
        Passage::Busy => unavailable(),
    }
}

/// What becomes of a refusal where clients are sent to sign in: whoever refused, and with what it says about how to.
fn sign_in(exchange: &Exchange, guarded: &Guarded<'_>, mut refusal: Refusal) -> Refusal {
    if let Some(spec) = &guarded.protection.spec.sign_in
        && refusal.status == StatusCode::UNAUTHORIZED
    {
        let client = guarded.client(exchange);
        match sign_in::location(spec, &guarded.variables(exchange, &client)) {
            Some(location) => {
                refusal.status = StatusCode::FOUND;
                refusal.headers.push((header::LOCATION, location));
            }
            // Not even a page to sign in at can be said.
            None => refusal = Refusal::of(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
    refusal
}

fn unavailable() -> Ruling {
    Ruling::Refuse(Refusal::of(StatusCode::SERVICE_UNAVAILABLE))
}

/// The rulings so far, where all count or one is enough (annotations §3.8).
struct Rulings {
    any_is_enough: bool,
    refusal: Option<Refusal>,
}

impl Rulings {
    fn new(any_is_enough: bool) -> Self {
        Self { any_is_enough, refusal: None }
    }

    /// Takes one; breaks with the last word if nothing else has to be asked.
    fn add(&mut self, ruling: Ruling) -> ControlFlow<Ruling> {
        let refusal = match ruling {
            Ruling::Pass if self.any_is_enough => return ControlFlow::Break(Ruling::Pass),
            Ruling::Pass => return ControlFlow::Continue(()),
            Ruling::Refuse(refusal) => refusal,
        };
        // Neither "no" nor "who are you": whoever was asked could not tell.
        let decides = matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if !self.any_is_enough || !decides {
            return ControlFlow::Break(Ruling::Refuse(refusal));
        }
        // A client that may still tell who it is is asked to, in every way that there is (RFC 9110 §11.6.1).
        let asks = |refusal: &Refusal| refusal.status == StatusCode::UNAUTHORIZED;
        match &mut self.refusal {
            Some(first) if asks(first) && asks(&refusal) => first.headers.extend(refusal.headers),
            Some(first) if asks(first) => {}
            first => *first = Some(refusal),
        }
        ControlFlow::Continue(())
    }

    fn end(self) -> Ruling {
        self.refusal.map_or(Ruling::Pass, Ruling::Refuse)
    }
}

#[cfg(test)]
mod tests;
