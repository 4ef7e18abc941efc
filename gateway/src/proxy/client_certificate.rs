//! What a request's host makes of the certificate of its connection (annotations §3.0, steps 2 and 4).

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use smallvec::SmallVec;

use super::answer::Answer;
use crate::{
    client_certificate::{
        Policy,
        policy::{Page, Refused},
    },
    filter::request_headers::Override,
    listen::conn::Connection,
    live::{LiveConfig, LiveHost},
    page::BadRequest,
};

/// What becomes of a request.
pub enum Ruling<'a> {
    /// It may pass.
    Pass,
    /// It may not.
    Answer(Box<Answer>),
    /// It may not, since its subject is none of those that may come.
    Subject(Box<Answer>),
    /// It may not; the host answers as to `GET` of this path.
    Page(&'a HeaderValue),
}

/// Checks the certificate of a request's connection.
pub fn check<'a>(
    connection: &Connection,
    host: &'a Arc<LiveHost>,
    live: &LiveConfig,
) -> Ruling<'a> {
    let rules = match &host.client_certificates {
        None => return Ruling::Pass,
        Some(Policy::Verify(rules)) => rules,
        Some(Policy::Refuse) => {
            return Ruling::Answer(Box::new(Answer::page(StatusCode::FORBIDDEN)));
        }
    };
    if connection.tls && !is_own(connection, host, live) {
        return Ruling::Answer(Box::new(Answer::misdirected_request()));
    }
    let refused = match (rules.check(connection), rules.check_subject(connection)) {
        (Ok(()), Ok(())) => return Ruling::Pass,
        (Ok(()), Err(refused)) => refused,
        // The page of the host is not for other subjects, either.
        (Err(_), Err(refused)) if matches!(rules.page(), Some(Page::Path(_))) => refused,
        (Err(refused), _) => refused,
    };
    let answer = match (refused, rules.page()) {
        (Refused::Subject, _) => {
            let status = StatusCode::FORBIDDEN;
            let kind = live.settings.default_type.clone();
            let answer = Answer::explained(status, kind, "client certificate unauthorized");
            return Ruling::Subject(Box::new(answer));
        }
        (_, Some(Page::Redirect(url))) => Answer::redirect(StatusCode::FOUND, Some(url.clone())),
        (_, Some(Page::Path(path))) => return Ruling::Page(path),
        (Refused::Missing, None) => Answer::bad_request(BadRequest::CertificateMissing),
        (Refused::Bad, None) => Answer::bad_request(BadRequest::CertificateError),
    };
    Ruling::Answer(Box::new(answer))
}

/// Whether the handshake was made for this very host: with another name, or with none, the client was asked for a
/// certificate of others, or for none. So it is if the host has begun to ask since.
fn is_own(connection: &Connection, host: &Arc<LiveHost>, live: &LiveConfig) -> bool {
    if host.client_certificates.as_ref().is_none_or(|policy| policy.asks().is_none()) {
        return true;
    }
    let Some(session) = connection.session() else { return false };
    let negotiated = live.host_of(session.server_name.as_deref());
    session.asked && negotiated.is_some_and(|negotiated| Arc::ptr_eq(negotiated, host))
}

/// What upstreams are told about the certificate.
pub fn overrides<'a>(connection: &'a Connection, host: &LiveHost) -> Vec<Override<'a>> {
    let Some(policy) = &host.client_certificates else { return Vec::new() };
    policy.told(connection).into_iter().map(|(name, value)| Override::set(name, value)).collect()
}

/// The same, for a request of the gateway's own about this one. Headers of the client with these names, or any other
/// that begins with `ssl-client-`, must not be sent along.
pub fn headers(
    connection: &Connection,
    host: &LiveHost,
) -> SmallVec<[(&'static str, HeaderValue); 4]> {
    let Some(policy) = &host.client_certificates else { return SmallVec::new() };
    let told = policy.told(connection).into_iter();
    told.filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(value).ok()?))).collect()
}
