//! How one request is sent, where it is not HTTP/1 in clear.

use std::rc::Rc;

use super::{pool::Endpoint, tls::client::Encryption};
use crate::error::ProxyError;

/// How one request is sent.
pub enum Over<'a> {
    /// HTTP/1 over TLS.
    Tls(Encryption<'a>),
    /// HTTP/2, in clear or over TLS.
    Grpc(Option<Encryption<'a>>),
}

impl Over<'_> {
    /// The endpoint whose connections are of this kind.
    ///
    /// # Errors
    ///
    /// There can be none.
    pub fn endpoint(&self, picked: &Rc<Endpoint>) -> Result<Rc<Endpoint>, ProxyError> {
        match self {
            Self::Tls(encryption) | Self::Grpc(Some(encryption)) => picked.over(encryption),
            Self::Grpc(None) => Ok(Rc::clone(picked)),
        }
    }
}
