//! The certificate that a client has shown, with those that it has sent along.

use std::sync::OnceLock;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::name;

/// Certificates that are taken from a client besides its own. Each costs time when a path is looked for.
const MOST: usize = 8;
/// A client's certificate.
#[derive(Debug)]
pub struct Identity {
    /// As it came.
    pub(super) leaf: CertificateDer<'static>,
    /// Those that it may have been issued by.
    pub(super) others: Vec<CertificateDer<'static>>,
    subject: String,
    issuer: String,
    escaped: OnceLock<String>,
}

impl Identity {
    /// Reads what a client has sent, its own certificate first; `None` if that is none.
    pub fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (leaf, others) = chain.split_first()?;
        let (rest, parsed) = X509Certificate::from_der(leaf).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let text = |name| name::text(name).unwrap_or_default();
        Some(Self {
            subject: text(parsed.subject()),
            issuer: text(parsed.issuer()),
            leaf: leaf.clone().into_owned(),
            others: useful(others),
            escaped: OnceLock::new(),
        })
    }

    /// The name of its subject (RFC 2253); empty if there is none.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The name of its issuer (RFC 2253); empty if there is none.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The certificate in PEM, URL-encoded.
    pub fn escaped(&self) -> &str {
        self.escaped.get_or_init(|| self.escape())
    }

    fn escape(&self) -> String {
        let mut text = String::with_capacity(self.leaf.len() * 3 / 2 + 128);
        for character in pem(&self.leaf).chars() {
            match character {
                '\n' => text.push_str("%0A"),
                ' ' => text.push_str("%20"),
                '+' => text.push_str("%2B"),
                '/' => text.push_str("%2F"),
                '=' => text.push_str("%3D"),
                _ => text.push(character),
            }
        }
        text
    }
}

/// The certificates that a path is looked for in: each once, few, and not many of one name, because the number of
/// paths grows with those.
fn useful(sent: &[CertificateDer<'_>]) -> Vec<CertificateDer<'static>> {
    let mut subjects: Vec<Vec<u8>> = Vec::new();
    let mut kept: Vec<CertificateDer<'static>> = Vec::new();
    for certificate in sent {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { continue };
        let subject = parsed.subject().as_raw().to_vec();
        let namesakes = subjects.iter().filter(|known| **known == *subject).count();
        if kept.len() < MOST && namesakes < 2 && !kept.contains(certificate) {
            subjects.push(subject);
            kept.push(certificate.clone().into_owned());
        }
    }
    kept
}

/// PEM with lines of 64 characters (RFC 7468).
fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(der.len() * 3 / 2 + 64);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits = (0..3).fold(0_usize, |bits, at| {
                bits << 8 | usize::from(group.get(at).copied().unwrap_or(0))
            });
            for at in 0..4 {
                let digit = DIGITS[bits >> (18 - 6 * at) & 63];
                text.push(if at <= group.len() { char::from(digit) } else { '=' });
            }
        }
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn pem_is_read_back_as_it_was() {
        for length in 0..200 {
            let der: Vec<u8> = (0..length).map(|byte| (byte * 7 + 3) as u8).collect();
            let text = pem(&der);
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            if length > 0 {
                let read = CertificateDer::from_pem_slice(text.as_bytes()).expect("PEM");
                assert_eq!(*read, *der, "{length}");
            }
        }
    }

    #[test]
    fn what_is_no_certificate_is_no_identity() {
        assert!(Identity::new(&[]).is_none());
        assert!(Identity::new(&[CertificateDer::from(vec![0x30, 0])]).is_none());
    }

    #[test]
    fn a_crowd_of_namesakes_is_thinned_out() {
        let made = || {
            let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("made");
            made.cert.der().clone()
        };
        let own = made();
        let crowd: Vec<_> = (0..5).map(|_| made()).collect();
        let chain = [&[own][..], &crowd, &crowd].concat();
        assert_eq!(Identity::new(&chain).expect("an identity").others, crowd[..2]);
    }
}
