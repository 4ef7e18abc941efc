//! Encryption towards upstreams (annotations §3.14).

use std::sync::Arc;

use serde::Serialize;

use crate::{Certificate, TlsSuite, TlsVersions, client_certificates::Authorities};

/// What is asked of encrypted connections to an upstream. The default asks for nothing: any certificate is taken, and no
/// name is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UpstreamTls {
    /// Who may be at the other end; none is anybody.
    pub verify: Option<ServerVerification>,
    /// What is shown to an upstream that asks for a certificate (`tls.crt` and `tls.key` of `proxy-ssl-secret`).
    pub certificate: Option<Arc<Certificate>>,
    /// The name of the upstream, which its certificate has to have and which is sent to it; may contain `$variables`
    /// (`proxy-ssl-name`).
    pub name: Option<String>,
    /// Send the name in the handshake (`proxy-ssl-server-name`).
    pub send_name: bool,
    /// The versions that are spoken (`proxy-ssl-protocols`).
    pub versions: TlsVersions,
    /// The cipher suites of TLS 1.2 that are offered, best first; none is all (`proxy-ssl-ciphers`).
    pub suites: Option<Vec<TlsSuite>>,
}

/// How certificates of upstreams are verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerVerification {
    /// Whom they have to come from.
    pub authorities: Arc<Authorities>,
    /// How many others may stand between one and an authority (`proxy-ssl-verify-depth`).
    pub depth: u32,
}
