//! How one request is sent, where it is not HTTP/1 in clear.

use std::rc::Rc;

use headgate_config::ProxySettings;

use super::{pool::Endpoint, tls::client::Encryption};
use crate::error::ProxyError;

/// How one request is sent.
pub enum Over<'a> {
    /// HTTP/1 over TLS.
    Tls(Encryption<'a>),
    /// HTTP/2, in clear or over TLS.
    Grpc(Option<Encryption<'a>>),
    /// FastCGI.
    FastCgi(Box<Application<'a>>),
}

/// What a FastCGI application is told about one request besides its head (annotations §3.14).
#[derive(Debug)]
pub struct Application<'a> {
    /// How long things may take.
    pub settings: &'a ProxySettings,
    /// The path of the script.
    pub script: Vec<u8>,
    /// The path that was asked for, decoded, as it was rewritten.
    pub path: Vec<u8>,
    /// The query.
    pub query: Vec<u8>,
    /// The target as the client sent it.
    pub target: Vec<u8>,
    /// Version of HTTP that the client speaks.
    pub protocol: &'static str,
    /// The client came over TLS.
    pub is_secure: bool,
    /// Address and port of the client.
    pub remote: (Vec<u8>, String),
    /// Address and port that it came to.
    pub server: (String, Vec<u8>),
    /// Name of the host.
    pub name: String,
    /// Parameters of the configuration.
    pub extra: Vec<(&'a str, Vec<u8>)>,
}

/// Where the reference would look for files.
pub const DOCUMENT_ROOT: &str = "/usr/local/nginx/html";
/// What the gateway calls itself.
pub const SOFTWARE: &str = concat!("headgate/", env!("CARGO_PKG_VERSION"));

impl Over<'_> {
    /// The endpoint whose connections are of this kind.
    ///
    /// # Errors
    ///
    /// There can be none.
    pub fn endpoint(&self, picked: &Rc<Endpoint>) -> Result<Rc<Endpoint>, ProxyError> {
        match self {
            Self::Tls(encryption) | Self::Grpc(Some(encryption)) => picked.over(encryption),
            Self::Grpc(None) | Self::FastCgi(_) => Ok(Rc::clone(picked)),
        }
    }

    /// How long things may take, if that is not what the location says.
    pub fn settings(&self) -> Option<&ProxySettings> {
        match self {
            Self::Tls(_) | Self::Grpc(_) => None,
            Self::FastCgi(application) => Some(application.settings),
        }
    }
}

impl Application<'_> {
    /// The standard parameters.
    pub fn standard<'b>(
        &'b self,
        method: &'b [u8],
        content_length: &'b [u8],
        content_type: &'b [u8],
    ) -> impl Iterator<Item = (&'static str, &'b [u8])> {
        let (remote_address, remote_port) = &self.remote;
        let (server_address, server_port) = &self.server;
        let scheme: &[u8] = if self.is_secure { b"https" } else { b"http" };
        let secure = self.is_secure.then_some(("HTTPS", &b"on"[..]));
        [
            ("QUERY_STRING", &self.query[..]),
            ("REQUEST_METHOD", method),
            ("CONTENT_TYPE", content_type),
            ("CONTENT_LENGTH", content_length),
            ("SCRIPT_NAME", &self.script),
            ("REQUEST_URI", &self.target),
            ("DOCUMENT_URI", &self.path),
            ("DOCUMENT_ROOT", DOCUMENT_ROOT.as_bytes()),
            ("SERVER_PROTOCOL", self.protocol.as_bytes()),
            ("REQUEST_SCHEME", scheme),
            ("GATEWAY_INTERFACE", b"CGI/1.1"),
            ("SERVER_SOFTWARE", SOFTWARE.as_bytes()),
            ("REMOTE_ADDR", remote_address),
            ("REMOTE_PORT", remote_port.as_bytes()),
            ("SERVER_ADDR", server_address.as_bytes()),
            ("SERVER_PORT", server_port),
            ("SERVER_NAME", self.name.as_bytes()),
            // PHP may ask for it.
            ("REDIRECT_STATUS", b"200"),
        ]
        .into_iter()
        .chain(secure)
    }
}
