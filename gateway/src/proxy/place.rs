//! Where a request leads: its host, whether it may come there at all, and the location.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
};

use headgate_config::log_target::REQUESTS;
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;

use super::{
    answer::Answer,
    client_certificate::{self, Ruling},
    exchange::Exchange,
    inbound::Inbound,
    snippet,
};
use crate::{
    error::ProxyError,
    filter::{
        self,
        redirect::{self, Own},
    },
    listen::conn::Connection,
    live::{LiveAction, LiveConfig, LiveHost, LiveLocation},
    route::{
        name::HostName,
        path::Found,
        target::{Target, normalise},
    },
};

/// What a request asks for.
pub struct Place<'a> {
    /// The host, as the request names it.
    pub name: HostName<'a>,
    /// Its normalised path and query.
    pub target: Target<'a>,
    /// The target, if it is not the request's.
    pub page: Option<&'a HeaderValue>,
    /// The host.
    pub host: &'a Arc<LiveHost>,
    /// The location.
    pub location: &'a Arc<LiveLocation>,
}

/// Finds the host and the location of a request, or the answer where that is one.
///
/// # Errors
///
/// If the request cannot be understood, or not be placed.
pub fn locate<'a>(
    exchange: &mut Exchange,
    inbound: &'a Inbound,
    peer: &Connection,
    body: &Incoming,
    live: &'a LiveConfig,
) -> Result<ControlFlow<Answer, Place<'a>>, ProxyError> {
    let name = inbound.check()?;
    let target = inbound.normalise()?;
    // Without any host no table is live yet: the reference answers the same until its first one (operations §1).
    let Some(host) = live.hosts.find(name.as_bytes()) else {
        return Ok(Break(Answer::fallback(404)));
    };
    exchange.set_host(host, name.as_bytes());
    exchange.describe(host, &target, || inbound.client(peer, &live.settings.spec.forwarded));
    let visit = Visit { inbound, peer, body, live, host };
    let admitted = match admit(peer, inbound, &target, host, live) {
        Ok(admitted) => admitted,
        Err(answer) => {
            if let Some(location) = location_of(host, &target) {
                exchange.set_turned_away(location);
            }
            return Ok(Break(*answer));
        }
    };
    let waived = match admitted {
        Admitted::Request => return visit.lead(exchange, name, target),
        Admitted::Page(page) => return visit.lead_to_page(exchange, name, page),
        Admitted::Waived(ruling) => ruling,
    };
    let place = visit.lead(exchange, name.clone(), target);
    if let Ok(Continue(Place { location, .. })) = &place
        && matches!(location.action, LiveAction::Health)
    {
        return place;
    }
    // Steps of the host have made something else of it, for which the certificate is needed after all.
    exchange.forget_place();
    match waived {
        Ruling::Page(page) => visit.lead_to_page(exchange, name, page),
        Ruling::Answer(answer) | Ruling::Subject(answer) => {
            if let Ok(Continue(Place { location, .. })) = place {
                exchange.set_turned_away(location);
            }
            Ok(Break(*answer))
        }
        Ruling::Pass => Err(ProxyError::Denied),
    }
}

/// A request at the host that it names.
struct Visit<'a, 'b> {
    inbound: &'a Inbound,
    peer: &'b Connection,
    body: &'b Incoming,
    live: &'a LiveConfig,
    host: &'a Arc<LiveHost>,
}

impl<'a> Visit<'a, '_> {
    /// Finds the location of the page that the host shows to clients without a good certificate.
    fn lead_to_page(
        &self,
        exchange: &mut Exchange,
        name: HostName<'a>,
        page: &'a HeaderValue,
    ) -> Result<ControlFlow<Answer, Place<'a>>, ProxyError> {
        let target = normalise(page.as_bytes()).map_err(|_| ProxyError::Denied)?;
        Ok(match self.lead(exchange, name, target)? {
            Continue(place) => Continue(Place { page: Some(page), ..place }),
            Break(answer) => Break(answer),
        })
    }

    /// Finds the location of a target in the host, to which the client may come, or the answer where that is one.
    fn lead(
        &self,
        exchange: &mut Exchange,
        name: HostName<'a>,
        target: Target<'a>,
    ) -> Result<ControlFlow<Answer, Place<'a>>, ProxyError> {
        let Self { inbound, peer, body, live, host } = *self;
        if let Some(to) = &host.spec.redirect_to {
            return Ok(Break(other_host(peer, inbound, to, live)));
        }
        let target = match snippet::in_host(exchange, inbound, live, host, target, false)? {
            Continue(target) => target,
            Break(answer) => return Ok(Break(answer)),
        };
        if let Some(app_root) = host.spec.app_root.as_ref().filter(|_| *target.path() == *b"/") {
            let url = redirect::app_root(peer.tls, inbound.host_header(), app_root);
            return Ok(Break(Answer::redirect(StatusCode::FOUND, url)));
        }
        let target = match snippet::in_host(exchange, inbound, live, host, target, true)? {
            Continue(target) => target,
            Break(answer) => return Ok(Break(answer)),
        };
        let location = match find(exchange, host, &target, name.as_bytes(), body)? {
            Continue(location) => location,
            Break(answer) => return Ok(Break(answer)),
        };
        Ok(Continue(Place { name, target, page: None, host, location }))
    }
}

/// Finds the location of a path, or the answer where that is one.
///
/// # Errors
///
/// If the request is too large for it, or it takes too long to tell.
pub fn find<'a>(
    exchange: &mut Exchange,
    host: &'a Arc<LiveHost>,
    target: &Target<'_>,
    name: &[u8],
    body: &Incoming,
) -> Result<ControlFlow<Answer, &'a Arc<LiveLocation>>, ProxyError> {
    if host.snippet.is_some()
        && let Some(location) = snippet::own_location(exchange, host, target)?
    {
        exchange.set_location(location);
        filter::body::check_length(body, location.spec.body_limit)?;
        return Ok(Continue(location));
    }
    let (index, slash) = match host.table.find(target.path()) {
        Found::Location(index) => (index, false),
        Found::SlashRedirect(index) => (index, true),
        Found::Exhausted => return Err(ProxyError::MatchBudget),
        Found::Nothing => {
            tracing::debug!(target: REQUESTS, host = host.spec.name, "no location for a request");
            return Ok(Break(Answer::fallback(404)));
        }
    };
    let location = &host.locations[index];
    exchange.set_location(location);
    tell(host, location);
    filter::body::check_length(body, location.spec.body_limit)?;
    if slash {
        return Ok(Break(slash_redirect(exchange, location, target, name)));
    }
    Ok(Continue(location))
}

/// Names the location of a request by what the configuration says, and by nothing that the client has sent.
#[inline]
fn tell(host: &LiveHost, location: &LiveLocation) {
    let origin = &location.spec.origin;
    tracing::debug!(
        target: REQUESTS, host = host.spec.name, path = ?origin.path,
        object = origin.object.as_ref().map(tracing::field::display),
        service = origin.service, "request placed"
    );
}

/// How a request may come to a host.
enum Admitted<'a> {
    /// As it is.
    Request,
    /// Only as one for this page of the host.
    Page(&'a HeaderValue),
    /// As it is, if it is answered by the gateway itself to say that it lives; or else this is to be said about its
    /// certificate.
    Waived(Ruling<'a>),
}

/// Who may come to a host at all.
///
/// # Errors
///
/// The answer to those who may not.
fn admit<'a>(
    peer: &Connection,
    inbound: &Inbound,
    target: &Target<'_>,
    host: &'a Arc<LiveHost>,
    live: &LiveConfig,
) -> Result<Admitted<'a>, Box<Answer>> {
    let admitted = match client_certificate::check(peer, host, live) {
        Ruling::Pass => Ok(Admitted::Request),
        // Load balancers, which have no certificate, ask for it to learn whether the gateway lives.
        ruling if is_health(host, target) => Ok(Admitted::Waived(ruling)),
        Ruling::Answer(answer) => return Err(answer),
        Ruling::Subject(answer) => Err(answer),
        Ruling::Page(page) => Ok(Admitted::Page(page)),
    };
    if let Some(blocked) = &live.settings.blocked
        && let Some(status) = blocked.refuses(inbound.client_address(peer), &inbound.parts.headers)
    {
        return Err(Box::new(Answer::page(status)));
    }
    admitted
}

/// Where a request would lead, unless the gateway itself answers there without a record.
fn location_of<'a>(host: &'a LiveHost, target: &Target<'_>) -> Option<&'a Arc<LiveLocation>> {
    let (Found::Location(index) | Found::SlashRedirect(index)) = host.table.find(target.path())
    else {
        return None;
    };
    let location = &host.locations[index];
    let is_silent = matches!(location.action, LiveAction::Health | LiveAction::ConnectionStatus);
    (!is_silent).then_some(location)
}

/// Whether a path is answered by the gateway itself, to say that it lives.
fn is_health(host: &LiveHost, target: &Target<'_>) -> bool {
    let Found::Location(index) = host.table.find(target.path()) else { return false };
    matches!(host.locations[index].action, LiveAction::Health)
}

/// 301 to the path with its slash (routing §5.3). A denied location has none.
fn slash_redirect(
    exchange: &Exchange,
    location: &LiveLocation,
    target: &Target<'_>,
    host: &[u8],
) -> Answer {
    if matches!(location.action, LiveAction::Deny) {
        return Answer::from(ProxyError::Denied);
    }
    let mut path = target.path().to_vec();
    path.push(b'/');
    let form = location.spec.redirect;
    let url = own(&exchange.connection, host).with_slash(form, &path, target.query());
    Answer::redirect(StatusCode::MOVED_PERMANENTLY, url)
}

/// The address that a client has reached.
pub fn own<'a>(connection: &'a Connection, host: &'a [u8]) -> Own<'a> {
    Own { tls: connection.tls, host, port: connection.port.to_str().unwrap_or_default() }
}

/// The redirect of a host that has nothing but the name of another one. What a proxy says is put into it only if it is
/// a scheme of the web, or a port.
fn other_host(peer: &Connection, inbound: &Inbound, to: &str, live: &LiveConfig) -> Answer {
    let client = inbound.client(peer, &live.settings.spec.forwarded);
    let scheme = match client.scheme {
        scheme @ (b"http" | b"https") => scheme,
        _ => peer.scheme(),
    };
    let listener = peer.local.port().to_string();
    let is_port =
        |text: &[u8]| (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    // Without a proxy it is the port that the client came to, even where it is usually hidden.
    let is_told = client.is_behind_proxy || peer.proxied().is_some();
    let port = if is_told && is_port(client.port) { client.port } else { listener.as_bytes() };
    let url = redirect::to_host(to, scheme, port, inbound.raw_target());
    Answer::redirect(redirect::status(live.settings.spec.redirect_status), url)
}
