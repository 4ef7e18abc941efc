//! Verifying certificates of upstreams as OpenSSL does for the reference (annotations §3.14): a path to an authority that
//! is its own issuer, of limited length, and the name.

use std::sync::Arc;

use headgate_config::ServerVerification;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::{
    certificate::X509Certificate,
    prelude::{FromDer, GeneralName},
};

/// Takes certificates that come from an authority, for the name that is asked for.
#[derive(Debug)]
pub(super) struct Servers {
    anchors: Vec<TrustAnchor<'static>>,
    /// Authorities that are their own issuers, as they are encoded.
    roots: Vec<CertificateDer<'static>>,
    /// Other authorities: a path may lead over them.
    others: Vec<CertificateDer<'static>>,
    depth: usize,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Servers {
    /// Prepares authorities.
    ///
    /// # Errors
    ///
    /// What cannot be used.
    pub(super) fn new(spec: &ServerVerification) -> Result<Arc<Self>, String> {
        let mut servers = Self {
            anchors: Vec::new(),
            roots: Vec::new(),
            others: Vec::new(),
            depth: usize::try_from(spec.depth).unwrap_or(usize::MAX),
            algorithms: aws_lc_rs::default_provider().signature_verification_algorithms,
        };
        for der in &spec.authorities.certificates {
            let (_, parsed) = X509Certificate::from_der(der)
                .map_err(|_| "a certificate of an authority cannot be read".to_owned())?;
            let der = CertificateDer::from(der.clone());
            if parsed.subject().as_raw() != parsed.issuer().as_raw() {
                servers.others.push(der);
                continue;
            }
            if let Ok(anchor) = webpki::anchor_from_trusted_cert(&der) {
                servers.anchors.push(anchor.to_owned());
            }
            servers.roots.push(der);
        }
        Ok(Arc::new(servers))
    }

    fn path(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let others: Vec<_> =
            sent.iter().chain(&self.others).map(|der| CertificateDer::from(&**der)).collect();
        let short = |path: &VerifiedPath<'_>| {
            let length = path.intermediate_certificates().count();
            (length <= self.depth).then_some(()).ok_or(webpki::Error::MaximumPathDepthExceeded)
        };
        let verified = EndEntityCert::try_from(leaf).and_then(|leaf| {
            let usage = KeyUsage::server_auth();
            let algorithms = self.algorithms.all;
            leaf.verify_for_usage(
                algorithms,
                &self.anchors,
                &others,
                now,
                usage,
                None,
                Some(&short),
            )
            .map(drop)
        });
        verified.map_err(|error| {
            refused(match error {
                webpki::Error::CertExpired { .. } => CertificateError::Expired,
                webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
                webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
                error => CertificateError::Other(rustls::OtherError(Arc::new(error))),
            })
        })
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unreadable = |_| refused(CertificateError::BadEncoding);
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(unreadable)?;
        if self.roots.contains(leaf) {
            // It vouches for itself, and somebody who may has said that this is enough.
            let time = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let validity = parsed.validity();
            if time < validity.not_before.timestamp() {
                return Err(refused(CertificateError::NotValidYet));
            }
            if time > validity.not_after.timestamp() {
                return Err(refused(CertificateError::Expired));
            }
        } else {
            self.path(leaf, sent, now)?;
        }
        match is_named(&parsed, name) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(refused(CertificateError::NotValidForName)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn refused(error: CertificateError) -> Error {
    Error::InvalidCertificate(error)
}

/// Whether a certificate is for a name: one of its alternative names, or the common name where it has none for hosts.
fn is_named(certificate: &X509Certificate<'_>, name: &ServerName<'_>) -> bool {
    let Ok(alternatives) = certificate.subject_alternative_name() else { return false };
    let names = || alternatives.iter().flat_map(|extension| &extension.value.general_names);
    match name {
        ServerName::IpAddress(address) => {
            let wanted = match std::net::IpAddr::from(*address) {
                std::net::IpAddr::V4(address) => address.octets().to_vec(),
                std::net::IpAddr::V6(address) => address.octets().to_vec(),
            };
            names().any(|name| matches!(name, GeneralName::IPAddress(found) if *found == wanted))
        }
        ServerName::DnsName(wanted) => {
            let wanted = wanted.as_ref();
            let hosts: Vec<&str> = names()
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some(*name),
                    _ => None,
                })
                .collect();
            if !hosts.is_empty() {
                return hosts.iter().any(|host| matches(host, wanted));
            }
            let mut common = certificate.subject().iter_common_name();
            common.any(|name| name.as_str().is_ok_and(|name| matches(name, wanted)))
        }
        _ => false,
    }
}

/// Whether a name of a certificate is `wanted`; its first label may be a lone `*` in front of two others at least.
fn matches(name: &str, wanted: &str) -> bool {
    if let Some(parent) = name.strip_prefix("*.") {
        let below = wanted.split_once('.').filter(|(label, _)| !label.is_empty());
        return parent.contains('.')
            && below.is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent));
    }
    name.eq_ignore_ascii_case(wanted)
}

#[cfg(test)]
mod tests;
