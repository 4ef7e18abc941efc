//! Why a service could not be asked.

use http::StatusCode;

use crate::error::ProxyError;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What the client sent does not fit into the URL or the headers.
    #[error("the request does not fit into the URL or a header of the question")]
    Request,
    /// It is asked about a question to itself.
    #[error("it is behind a location that it is asked about")]
    Loop,
    /// Its name has no address.
    #[error("its name has no address")]
    Unresolved,
    /// No connection could be made.
    #[error("no connection could be made")]
    Unreachable,
    /// It hung up.
    #[error("it closed the connection")]
    Closed,
    /// It took too long.
    #[error("it did not answer in time")]
    Timeout,
    /// Its answer violates HTTP.
    #[error("its answer is malformed")]
    Invalid,
}

impl Failure {
    /// The status that logs have for it: that of a gateway whose upstream fails so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Request | Self::Loop => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Unresolved | Self::Unreachable | Self::Closed | Self::Invalid => {
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::Connect => Self::Unreachable,
            ProxyError::ConnectTimeout | ProxyError::UpstreamTimeout => Self::Timeout,
            ProxyError::InvalidAnswer => Self::Invalid,
            _ => Self::Closed,
        }
    }
}
