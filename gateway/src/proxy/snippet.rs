//! Where snippets come in: before a location is looked for, in the location, and in the heads of answers. What they do is
//! in `filter/snippet`.

mod heads;

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
};

use bytes::Bytes;
use headgate_config::{Origin, PathMatch, Redirect, snippet::Policy};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use hyper::body::Incoming;

pub use self::heads::{finish, for_upstream};
use super::{
    answer::{self, Answer},
    decide,
    exchange::Exchange,
    inbound::Inbound,
    place::{self, Place},
    response_body::Source,
};
use crate::{
    error::ProxyError,
    filter::snippet::{
        Facts, body_type,
        program::{Outcome, Program},
    },
    live::{LiveAction, LiveConfig, LiveHost, LiveLocation, Rival},
    route::{path::Found, rewrite::escape_path, target::Target},
};

/// Searches for a location that steps may ask for.
const SEARCHES: usize = 10;

static NOWHERE: Origin =
    Origin { object: None, path: String::new(), service: String::new(), port: String::new() };

/// Does the steps of a host, before (or, if `late`, after) its own redirect; its path may be another then.
///
/// # Errors
///
/// If they cannot be done.
pub fn in_host<'a>(
    exchange: &mut Exchange,
    inbound: &Inbound,
    live: &LiveConfig,
    host: &Arc<LiveHost>,
    target: Target<'a>,
    late: bool,
) -> Result<ControlFlow<Answer, Target<'a>>, ProxyError> {
    let Some(snippet) = &host.snippet else { return Ok(Continue(target)) };
    if !late {
        exchange.snippet_host = Some(Arc::clone(host));
    }
    let program = if late { &snippet.late_program } else { &snippet.program };
    let program = program.as_ref().ok_or(ProxyError::Denied)?;
    let is_stopped = exchange.snippet.as_ref().is_some_and(|state| state.is_stopped);
    if program.is_empty() || is_stopped {
        return Ok(Continue(target));
    }
    let outcome = run(exchange, inbound, live, &host.spec.name, program, &target, &NOWHERE);
    let target = moved(exchange, target);
    match outcome {
        Outcome::Stay | Outcome::Search => Ok(Continue(target)),
        Outcome::Fail => Err(ProxyError::EmptyRewrite),
        Outcome::Reply { status, text } => {
            Ok(Break(reply(exchange, &snippet.spec.policy, status, text, target.path())))
        }
    }
}

/// Does the steps of a location, which may lead to another one.
///
/// # Errors
///
/// If they cannot be done, or lead from one location to the next without an end.
pub fn in_location<'a>(
    exchange: &mut Exchange,
    inbound: &'a Inbound,
    body: &Incoming,
    live: &'a LiveConfig,
    mut place: Place<'a>,
) -> Result<ControlFlow<Answer, Place<'a>>, ProxyError> {
    for _ in 0..=SEARCHES {
        if let Some(state) = &mut exchange.snippet {
            (state.policy, state.is_stopped) = (0, false);
        }
        let Some(snippet) = &place.location.snippet else { return Ok(Continue(place)) };
        // What the gateway answers itself is not led elsewhere.
        let is_fixed = matches!(place.location.action, LiveAction::Deny | LiveAction::Health);
        if snippet.program.is_empty() || is_fixed {
            return Ok(Continue(place));
        }
        let is_for_page = place.page.is_some();
        if let Some(answer) = decide::preflight(exchange, inbound, is_for_page, place.location) {
            return Ok(Break(answer));
        }
        let (name, origin) = (&place.host.spec.name, &place.location.spec.origin);
        let outcome = run(exchange, inbound, live, name, &snippet.program, &place.target, origin);
        place.target = moved(exchange, place.target);
        match outcome {
            Outcome::Stay => return Ok(Continue(place)),
            Outcome::Fail => return Err(ProxyError::EmptyRewrite),
            Outcome::Reply { status, text } => {
                let chosen = exchange.snippet.as_ref().map_or(0, |state| state.policy);
                let policy = snippet.policy(chosen).ok_or(ProxyError::Denied)?;
                return Ok(Break(reply(exchange, policy, status, text, place.target.path())));
            }
            Outcome::Search => {
                exchange.allowed_origin = None;
                let name = place.name.as_bytes();
                match place::find(exchange, place.host, &place.target, name, body)? {
                    Continue(location) => place.location = location,
                    Break(answer) => return Ok(Break(answer)),
                }
            }
        }
    }
    Err(ProxyError::EmptyRewrite)
}

/// The location of a snippet that takes a path.
///
/// # Errors
///
/// If it takes too long to tell.
pub fn own_location<'a>(
    exchange: &mut Exchange,
    host: &'a LiveHost,
    target: &Target<'_>,
) -> Result<Option<&'a Arc<LiveLocation>>, ProxyError> {
    let Some(snippet) = &host.snippet else { return Ok(None) };
    let rival = || match host.table.find(target.path()) {
        Found::SlashRedirect(_) => Rival::Exact,
        Found::Location(index) => match &host.locations[index].spec.matcher {
            PathMatch::Exact(_) => Rival::Exact,
            PathMatch::Prefix(text) => Rival::Prefix(text.len()),
            PathMatch::Pattern(_) => Rival::Pattern,
        },
        Found::Nothing | Found::Exhausted => Rival::Nothing,
    };
    let found = snippet.find(target.path(), rival).map_err(|_| ProxyError::MatchBudget)?;
    let Some(found) = found else { return Ok(None) };
    if let Some((groups, names)) = &found.groups {
        exchange.snippet.get_or_insert_default().keep(target.path(), groups, names);
    }
    Ok(Some(found.location))
}

/// Runs steps; `origin` is that of the location.
fn run(
    exchange: &mut Exchange,
    inbound: &Inbound,
    live: &LiveConfig,
    server_name: &str,
    program: &Program,
    target: &Target<'_>,
    origin: &Origin,
) -> Outcome {
    let mut state = exchange.snippet.take().unwrap_or_default();
    let outcome = with_facts(exchange, inbound, live, (server_name, origin), target, |facts| {
        program.run(&mut state, facts, target.quoted())
    });
    exchange.snippet = Some(state);
    outcome
}

/// Gives `then` what texts may name of a request for `target`; `place` is the name of its host, and its location's origin.
fn with_facts<T>(
    exchange: &Exchange,
    inbound: &Inbound,
    live: &LiveConfig,
    place: (&str, &Origin),
    target: &Target<'_>,
    then: impl FnOnce(Facts<'_>) -> T,
) -> T {
    let (server_name, origin) = place;
    let client = inbound.client(&exchange.connection, &live.settings.spec.forwarded);
    let name = exchange.host_name();
    let variables = decide::variables(exchange, inbound, &client, target, name, origin);
    then(Facts {
        request: &variables,
        server_name,
        chain: client.chain.as_deref().unwrap_or(client.ip),
        protocol: protocol(exchange.version()),
        answer: None,
    })
}

/// A target with what steps have made of it.
fn moved<'a>(exchange: &Exchange, target: Target<'a>) -> Target<'a> {
    match &exchange.snippet {
        Some(state) if state.changes_target() => target.replaced(state.path(), state.query()),
        _ => target,
    }
}

/// What the upstream is asked for after steps have changed the target.
///
/// # Errors
///
/// If no request can ask for that.
pub fn upstream_target(target: &Target<'_>) -> Result<HeaderValue, ProxyError> {
    let path = escape_path(target.path()).into_owned();
    let target = answer::with_query(path, target.query());
    let is_fine = |target: &HeaderValue| target.as_bytes().iter().all(|byte| *byte > b' ');
    target.filter(is_fine).ok_or(ProxyError::EmptyRewrite)
}

/// The answer that a step makes.
fn reply(
    exchange: &mut Exchange,
    policy: &Policy,
    status: u16,
    text: Option<Vec<u8>>,
    path: &[u8],
) -> Answer {
    if status == 444
        && let Some(state) = &mut exchange.snippet
    {
        state.is_dropped = true;
    }
    let Ok(code) = StatusCode::from_u16(status) else { return Answer::code(500) };
    match text {
        text if matches!(status, 301 | 302 | 303 | 307 | 308) => {
            Answer::redirect(code, location(exchange, &text.unwrap_or_default()))
        }
        None if status >= 400 => Answer::page(code),
        text => {
            let kind = body_type::of_path(path).map(HeaderValue::from_static);
            let default = || policy.default_type.as_ref().and_then(|kind| kind.parse().ok());
            let kind = kind.or_else(default).unwrap_or(HeaderValue::from_static("text/html"));
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
            let body = text.filter(|text| !text.is_empty()).map(Bytes::from);
            Answer::upstream(
                code,
                headers,
                body.map_or(Source::Empty, |body| Source::Full(Some(body))),
            )
        }
    }
}

/// `Location` of a redirect; a path gets the host in front of it, unless redirects are relative.
fn location(exchange: &Exchange, url: &[u8]) -> Option<HeaderValue> {
    let form = exchange.location().map(|location| location.spec.redirect);
    if !url.starts_with(b"/") {
        return HeaderValue::from_bytes(url).ok();
    }
    // Outside of locations nobody has said that the port is left out.
    let form = form.unwrap_or(Redirect { with_port: true, ..Redirect::default() });
    place::own(&exchange.connection, exchange.host_name()).location(form, &[url])
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}
