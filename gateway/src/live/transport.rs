//! How upstreams are spoken to, in the form in which requests use it.

use headgate_config::Transport;

use crate::{
    filter::variables::Variables,
    upstream::{
        over::Over,
        tls::client::{LiveTls, TlsClients},
    },
};

/// How the upstream of a location is spoken to, where it is not HTTP/1 in clear.
pub enum LiveTransport {
    /// HTTP/1 over TLS.
    Https(LiveTls),
    /// The same for clients that came over TLS themselves.
    AsListener(LiveTls),
    /// HTTP/2, in clear or over TLS.
    Grpc(Option<LiveTls>),
}

impl LiveTransport {
    /// Compiles `spec`.
    ///
    /// # Errors
    ///
    /// What cannot be used.
    pub(super) fn new(spec: &Transport, clients: &TlsClients) -> Result<Self, String> {
        Ok(match spec {
            Transport::Https(tls) => Self::Https(clients.find(tls, false)?),
            Transport::AsListener(tls) => Self::AsListener(clients.find(tls, false)?),
            Transport::Grpc(tls) => {
                Self::Grpc(tls.as_ref().map(|tls| clients.find(tls, true)).transpose()?)
            }
            Transport::FastCgi(_) => {
                return Err("the protocol is not available yet".into());
            }
        })
    }

    /// How a request is sent; `is_secure` if its client came over TLS. None is HTTP/1 in clear.
    pub fn over<'a>(&'a self, is_secure: bool, variables: &Variables<'_>) -> Option<Over<'a>> {
        match self {
            Self::AsListener(_) if !is_secure => None,
            Self::Grpc(tls) => Some(Over::Grpc(tls.as_ref().map(|tls| tls.of(variables)))),
            Self::Https(tls) | Self::AsListener(tls) => Some(Over::Tls(tls.of(variables))),
        }
    }
}
