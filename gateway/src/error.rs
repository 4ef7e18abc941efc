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
            | Self::ClientGone
            | Self::NoEndpoint
            | Self::Denied
            | Self::EmptyRewrite
            | Self::MatchBudget => false,
        }
    }
}
