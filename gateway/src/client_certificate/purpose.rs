//! Whether a certificate may be a client's, as OpenSSL decides it for the purpose `sslclient`. More is asked for than
//! path building does.

use x509_parser::{
    certificate::X509Certificate,
    extensions::{NSCertType, ParsedExtension},
};

use super::Failure;

/// Checks what a certificate says about its use.
///
/// # Errors
///
/// [`Failure::Purpose`] if it is not for clients, or says something twice or unreadably.
pub fn check(certificate: &X509Certificate<'_>) -> Result<(), Failure> {
    let extended = certificate.extended_key_usage().map_err(|_| Failure::Purpose)?;
    let usage = certificate.key_usage().map_err(|_| Failure::Purpose)?;
    let is_netscape = |parsed: &ParsedExtension<'_>| match parsed {
        ParsedExtension::NSCertType(kind) => Some(NSCertType::ssl_client(kind)),
        _ => None,
    };
    let mut extensions = certificate.iter_extensions();
    let netscape = extensions.find_map(|extension| is_netscape(extension.parsed_extension()));
    let fits = extended.is_none_or(|usage| usage.value.client_auth)
        && usage.is_none_or(|usage| usage.value.digital_signature() || usage.value.key_agreement())
        && netscape.unwrap_or(true);
    fits.then_some(()).ok_or(Failure::Purpose)
}

/// Checks that a certificate has no critical extension but those that are heeded.
///
/// # Errors
///
/// [`Failure::CriticalExtension`].
pub fn check_critical(certificate: &X509Certificate<'_>) -> Result<(), Failure> {
    let heeded = |parsed: &ParsedExtension<'_>| {
        matches!(
            parsed,
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::SubjectAlternativeName(_)
                | ParsedExtension::SubjectKeyIdentifier(_)
                | ParsedExtension::AuthorityKeyIdentifier(_)
                | ParsedExtension::NSCertType(_)
        )
    };
    let mut extensions = certificate.iter_extensions();
    let fine =
        extensions.all(|extension| !extension.critical || heeded(extension.parsed_extension()));
    fine.then_some(()).ok_or(Failure::CriticalExtension)
}
