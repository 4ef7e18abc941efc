//! How upstreams are spoken to, in the form in which requests use it.

use std::{borrow::Cow, sync::Arc};

use headgate_config::{FastCgi, ProxySettings, Transport};
use http::{HeaderValue, Version, header};

use super::LiveHost;
use crate::{
    filter::variables::{Part, Variables, parts},
    listen::conn::Connection,
    route::target::normalise,
    upstream::{
        over::{Application, DOCUMENT_ROOT, Over, SOFTWARE},
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
    /// FastCGI.
    FastCgi(LiveFastCgi),
}

/// What FastCGI applications are told.
pub struct LiveFastCgi {
    spec: Arc<FastCgi>,
    /// How long things may take: what is said about HTTP does not count (annotations §3.14).
    settings: ProxySettings,
}

/// What is known of a request when it is decided how it is sent.
pub(crate) struct Approach<'a> {
    /// The client's connection.
    pub peer: &'a Connection,
    /// Its host.
    pub host: &'a LiveHost,
    /// Version of HTTP that it speaks.
    pub version: Version,
    /// The target that a rewrite leads to, if one does.
    pub rewritten: Option<&'a HeaderValue>,
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
            Transport::FastCgi(spec) => {
                let (spec, settings) = (Arc::clone(spec), ProxySettings::default());
                Self::FastCgi(LiveFastCgi { spec, settings })
            }
        })
    }

    /// How a request is sent. None is HTTP/1 in clear.
    pub(crate) fn over<'a>(
        &'a self,
        asked: &Approach<'_>,
        variables: &Variables<'_>,
    ) -> Option<Over<'a>> {
        Some(match self {
            Self::AsListener(_) if !asked.peer.tls => return None,
            Self::Https(tls) | Self::AsListener(tls) => Over::Tls(tls.of(variables)),
            Self::Grpc(tls) => Over::Grpc(tls.as_ref().map(|tls| tls.of(variables))),
            Self::FastCgi(fcgi) => Over::FastCgi(Box::new(fcgi.of(asked, variables))),
        })
    }
}

impl LiveFastCgi {
    fn of<'a>(&'a self, asked: &Approach<'_>, variables: &Variables<'_>) -> Application<'a> {
        let Approach { peer, host, version, rewritten } = asked;
        let normalised = rewritten.and_then(|target| normalise(target.as_bytes()).ok());
        let (path, query) = match &normalised {
            Some(target) => (target.path(), target.query().unwrap_or_default()),
            None => (variables.path, variables.query),
        };
        let mut script = path.to_vec();
        if let Some(index) = self.spec.index.as_ref().filter(|_| path.ends_with(b"/")) {
            script.extend_from_slice(index.as_bytes());
        }
        let mut application = Application {
            settings: &self.settings,
            script,
            path: path.to_vec(),
            query: query.to_vec(),
            target: variables.target.to_vec(),
            protocol: match *version {
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            },
            is_secure: peer.tls,
            remote: (variables.client_ip.to_vec(), peer.peer.port().to_string()),
            server: (peer.local.ip().to_string(), variables.listener_port.to_vec()),
            name: host.spec.name.clone(),
            extra: Vec::new(),
        };
        let after_rewrite = Variables { path, query, ..*variables };
        let expand = |text: &str| expand(text, &application, &after_rewrite);
        let extra = self.spec.parameters.iter().map(|(name, text)| (name.as_str(), expand(text)));
        application.extra = extra.collect();
        application
    }
}

/// A value with its variables replaced, those that only applications are told about included.
fn expand(text: &str, application: &Application<'_>, variables: &Variables<'_>) -> Vec<u8> {
    let value = |name: &str| -> Cow<'_, [u8]> {
        let header = |name| variables.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
        Cow::Borrowed(match name {
            "fastcgi_script_name" => &application.script,
            // Paths are not split here, as they are not in the reference.
            "fastcgi_path_info" => b"",
            "content_type" => header(header::CONTENT_TYPE),
            "content_length" => header(header::CONTENT_LENGTH),
            "document_root" | "realpath_root" => DOCUMENT_ROOT.as_bytes(),
            "https" if application.is_secure => b"on",
            "https" => b"",
            "nginx_version" => SOFTWARE.as_bytes(),
            "remote_port" => application.remote.1.as_bytes(),
            "server_addr" => application.server.0.as_bytes(),
            "server_name" => application.name.as_bytes(),
            "server_protocol" => application.protocol.as_bytes(),
            _ => return variables.text(name).unwrap_or_default(),
        })
    };
    let mut out = Vec::with_capacity(text.len() + 32);
    for part in parts(text) {
        match part {
            Part::Text(text) => out.extend_from_slice(text.as_bytes()),
            Part::Variable(name) => out.extend_from_slice(&value(name)),
        }
    }
    out
}
