//! Why a request was not answered by an upstream: whose fault it is, which status it gets, whether it may be tried
//! again. Whether anything of it was sent is known where it is sent (`proxy`).

use http::StatusCode;

/// A request that ends without an answer of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The request violates HTTP, or its target cannot be resolved to a path.
    #[error("malformed request")]
    BadRequest,
    /// A method that is never forwarded.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The body is larger than the location allows.
    #[error("request body too large")]
    BodyTooLarge,
    /// The body says no length, is not held, and the upstream's protocol has no other way to find its end.
    #[error("length required")]
    LengthRequired,
    /// The client's body ended early or stopped.
    #[error("client went away")]
    ClientGone,
    /// The upstream has no endpoint.
    #[error("no endpoint")]
    NoEndpoint,
    /// The configuration of the location cannot be honoured.
    #[error("location denied")]
    Denied,
    /// No connection could be made.
    #[error("connection refused")]
    Connect,
    /// Connecting took too long.
    #[error("connect timeout")]
    ConnectTimeout,
    /// The connection broke before the head of the answer was complete.
    #[error("upstream closed the connection")]
    UpstreamClosed,
    /// The upstream's answer violates HTTP.
    #[error("malformed answer")]
    InvalidAnswer,
    /// The upstream took too long to take the request or to answer.
    #[error("upstream timeout")]
    UpstreamTimeout,
    /// A rewrite led to an empty path.
    #[error("empty rewrite")]
    EmptyRewrite,
    /// Matching the path took more steps than allowed.
    #[error("matching budget used up")]
    MatchBudget,
}

impl ProxyError {
    /// The status of the answer (annotations, appendix B).
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            // Nobody reads this answer; the number is the reference's, for the log.
            Self::ClientGone => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            Self::NoEndpoint | Self::Denied => StatusCode::SERVICE_UNAVAILABLE,
            Self::Connect | Self::UpstreamClosed | Self::InvalidAnswer => StatusCode::BAD_GATEWAY,
            Self::ConnectTimeout | Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::EmptyRewrite | Self::MatchBudget => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether `on` names this failure as a reason for another try.
    pub fn retryable(self, on: &headgate_config::RetryOn) -> bool {
        match self {
            Self::Connect | Self::UpstreamClosed => on.error,
            Self::ConnectTimeout | Self::UpstreamTimeout => on.timeout,
            Self::InvalidAnswer => on.invalid_header,
            Self::BadRequest
            | Self::MethodNotAllowed
            | Self::BodyTooLarge
            | Self::LengthRequired
            | Self::ClientGone
            | Self::NoEndpoint
            | Self::Denied
            | Self::EmptyRewrite
            | Self::MatchBudget => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::RetryOn;

    use super::*;

    /// All of them. A variant that is added does not compile before it is named here.
    fn all() -> Vec<ProxyError> {
        use ProxyError::{
            BadRequest, BodyTooLarge, ClientGone, Connect, ConnectTimeout, Denied, EmptyRewrite,
            InvalidAnswer, LengthRequired, MatchBudget, MethodNotAllowed, NoEndpoint,
            UpstreamClosed, UpstreamTimeout,
        };
        let next = |error| match error {
            BadRequest => Some(MethodNotAllowed),
            MethodNotAllowed => Some(BodyTooLarge),
            BodyTooLarge => Some(LengthRequired),
            LengthRequired => Some(ClientGone),
            ClientGone => Some(NoEndpoint),
            NoEndpoint => Some(Denied),
            Denied => Some(Connect),
            Connect => Some(ConnectTimeout),
            ConnectTimeout => Some(UpstreamClosed),
            UpstreamClosed => Some(InvalidAnswer),
            InvalidAnswer => Some(UpstreamTimeout),
            UpstreamTimeout => Some(EmptyRewrite),
            EmptyRewrite => Some(MatchBudget),
            MatchBudget => None,
        };
        std::iter::successors(Some(BadRequest), |error| next(*error)).collect()
    }

    /// The only condition of `proxy-next-upstream` that calls for another try.
    fn condition(error: ProxyError) -> &'static str {
        let none = RetryOn {
            error: false,
            timeout: false,
            invalid_header: false,
            statuses: Vec::new(),
            non_idempotent: false,
        };
        let conditions = [
            ("error", RetryOn { error: true, ..none.clone() }),
            ("timeout", RetryOn { timeout: true, ..none.clone() }),
            ("invalid_header", RetryOn { invalid_header: true, ..none.clone() }),
            ("always", none),
        ];
        let called: Vec<_> = conditions
            .iter()
            .filter(|(_, on)| error.retryable(on))
            .map(|(name, _)| *name)
            .collect();
        match called.as_slice() {
            [] => "never",
            [one] => one,
            more => panic!("{error} is tried again for each of {more:?}"),
        }
    }

    #[test]
    fn every_refusal_has_its_reason_its_status_and_its_condition_for_another_try() {
        let table: Vec<_> = all()
            .into_iter()
            .map(|error| (error.to_string(), error.status().as_u16(), condition(error)))
            .collect();
        let table: Vec<_> =
            table.iter().map(|(reason, status, on)| (reason.as_str(), *status, *on)).collect();
        assert_eq!(
            table,
            [
                ("malformed request", 400, "never"),
                ("method not allowed", 405, "never"),
                ("request body too large", 413, "never"),
                ("length required", 411, "never"),
                ("client went away", 499, "never"),
                ("no endpoint", 503, "never"),
                ("location denied", 503, "never"),
                ("connection refused", 502, "error"),
                ("connect timeout", 504, "timeout"),
                ("upstream closed the connection", 502, "error"),
                ("malformed answer", 502, "invalid_header"),
                ("upstream timeout", 504, "timeout"),
                ("empty rewrite", 500, "never"),
                ("matching budget used up", 500, "never"),
            ]
        );
    }
}
