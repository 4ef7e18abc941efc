//! One try to get an answer of a FastCGI application (annotations §3.14).

use std::collections::BTreeMap;

use http::Method;

use super::{exchange::Exchange, send::Try, tries::Failed, waiting::wait};
use crate::{
    deadline::Deadline,
    error::ProxyError,
    filter::{body::Prepared, request_headers::Framing},
    upstream::{
        answer::Carrier,
        fcgi::{Call, Expected, Request},
        h1,
        over::Application,
    },
};

/// Sends the request over a connection of its own, and waits for the head of the answer.
pub async fn run(
    this: &Try<'_>,
    application: &Application<'_>,
    exchange: &mut Exchange,
    body: &mut Prepared,
    deadline: &Deadline,
) -> Result<(h1::Head, Carrier), Failed> {
    let failed = |error, unsent| Failed { error, unsent, stale: false };
    let wire = this.endpoint.wire(this.settings.connect_timeout).await;
    let wire = wire.map_err(|error| failed(error, true))?;
    if let Some(attempt) = exchange.attempts.last_mut() {
        attempt.connected(false);
    }
    deadline.reset(this.settings.read_timeout);
    let start = records(this, application, exchange, body.length);
    let start = start.ok_or(failed(ProxyError::BadRequest, true))?;
    let Some(content) = body.take() else {
        return Err(failed(ProxyError::UpstreamClosed, false));
    };
    let expected = Expected {
        upstream: this.endpoint.address,
        to_head: this.outbound.method() == Method::HEAD,
        keep: this.live.settings.headers.keep,
        head_limit: usize::try_from(this.settings.head_limit).unwrap_or(usize::MAX),
    };
    let mut call = Box::new(Call::start(wire, start, content, expected));
    match wait(&mut *call, deadline, this.settings, body.progress()).await {
        Ok(head) => {
            if let Some(attempt) = exchange.attempts.last_mut() {
                attempt.answered(head.status);
            }
            Ok((head, Carrier::Other(call)))
        }
        Err(error) => Err(failed(error, !call.has_sent())),
    }
}

/// The records in front of the body; none if the head cannot be said.
fn records(
    this: &Try<'_>,
    application: &Application<'_>,
    exchange: &Exchange,
    length: Option<u64>,
) -> Option<Vec<u8>> {
    let framing = length.map_or(Framing::None, Framing::Length);
    this.with_head(exchange, framing, |head| {
        let mut request = Request::new();
        let given = |name: &[u8]| application.extra.iter().any(|(own, _)| own.as_bytes() == name);
        let method = this.outbound.method().as_str().as_bytes();
        let length = length.map(|length| length.to_string()).unwrap_or_default();
        let content_type = line(head.headers, "content-type");
        for (name, value) in application.standard(method, length.as_bytes(), content_type) {
            if !given(name.as_bytes()) {
                request.parameter(name.as_bytes(), value);
            }
        }
        for (name, value) in headers(head.headers) {
            if !given(&name) {
                request.parameter(&name, &value);
            }
        }
        for (name, value) in &application.extra {
            request.parameter(name.as_bytes(), value);
        }
        Some(request.finish())
    })
}

fn line<'a>(lines: &[httparse::Header<'a>], name: &str) -> &'a [u8] {
    let found = lines.iter().find(|line| line.name.eq_ignore_ascii_case(name));
    found.map_or(b"", |line| line.value)
}

/// The headers as parameters. Names that differ in `-` and `_` only would be one: then the one with `-` is meant, which
/// the gateway decides about.
fn headers(lines: &[httparse::Header<'_>]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    // Of those, what the head of HTTP/1 that this comes from has.
    let is_of_connection = |name: &str| {
        ["connection", "transfer-encoding", "upgrade"]
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
    };
    let mut found: BTreeMap<Vec<u8>, (bool, Vec<u8>)> = BTreeMap::new();
    let sent = lines.iter().filter(|line| !is_of_connection(line.name));
    type Lines<'a, 'b> = Vec<&'a httparse::Header<'b>>;
    let (odd, plain): (Lines<'_, '_>, Lines<'_, '_>) =
        sent.partition(|line| line.name.contains('_'));
    for line in plain.into_iter().chain(odd) {
        let is_odd = line.name.contains('_');
        let upper = line.name.bytes().map(|byte| match byte {
            b'-' => b'_',
            byte => byte.to_ascii_uppercase(),
        });
        let name: Vec<u8> = b"HTTP_".iter().copied().chain(upper).collect();
        match found.get_mut(&name) {
            None => drop(found.insert(name, (is_odd, line.value.to_vec()))),
            Some((was_odd, value)) if *was_odd == is_odd => {
                let separator: &[u8] = if name == b"HTTP_COOKIE" { b"; " } else { b", " };
                value.extend_from_slice(separator);
                value.extend_from_slice(line.value);
            }
            Some(_) => {}
        }
    }
    found.into_iter().map(|(name, (_, value))| (name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_parameters_and_none_takes_the_place_of_another() {
        let line = |name, value: &'static str| httparse::Header { name, value: value.as_bytes() };
        let lines = [
            line("x_user", "forged"),
            line("X-User", "alice"),
            line("Accept", "a"),
            line("accept", "b"),
            line("Cookie", "c=1"),
            line("cookie", "d=2"),
            line("only_odd", "x"),
            line("Connection", "close"),
        ];
        let found: Vec<_> = headers(&lines)
            .into_iter()
            .map(|(name, value)| {
                (String::from_utf8(name).unwrap(), String::from_utf8(value).unwrap())
            })
            .collect();
        let found: Vec<_> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            found,
            [
                ("HTTP_ACCEPT", "a, b"),
                ("HTTP_COOKIE", "c=1; d=2"),
                ("HTTP_ONLY_ODD", "x"),
                ("HTTP_X_USER", "alice"),
            ]
        );
    }
}
