//! Why a certificate is not good, in OpenSSL's words: upstreams and logs know those.

/// Why a certificate is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Anything that has no words of its own.
    Unspecified,
    /// What one of them is issued by is known, and nobody knows what that is issued by.
    IssuerOfIssuer,
    /// There are revocation lists, and none of the issuer.
    NoRevocationList,
    /// A signature is wrong.
    Signature,
    /// The signature of a revocation list is wrong.
    ListSignature,
    /// The validity of a certificate has not begun.
    NotYetValid,
    /// It is over.
    Expired,
    /// The time of a revocation list is over.
    ListExpired,
    /// It is its own issuer, and not known.
    SelfSigned,
    /// It comes from an authority that is not known.
    UnknownRoot,
    /// Nobody knows what the last of several is issued by.
    UnknownIssuer,
    /// Nobody knows what it is issued by.
    UnknownIssuerOfOne,
    /// There are too many between it and the authority.
    TooLong,
    /// It is revoked.
    Revoked,
    /// The issuer of one may not issue any.
    NotAnAuthority,
    /// An authority has more authorities below it than it may have.
    PathLength,
    /// It is not for clients.
    Purpose,
    /// It says something that has to be heeded and is not understood.
    CriticalExtension,
    /// An authority may not issue it with this name.
    Name,
}

impl Failure {
    /// `$ssl_client_verify`.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unspecified => "FAILED:unspecified certificate verification error",
            Self::IssuerOfIssuer => "FAILED:unable to get issuer certificate",
            Self::NoRevocationList => "FAILED:unable to get certificate CRL",
            Self::Signature => "FAILED:certificate signature failure",
            Self::ListSignature => "FAILED:CRL signature failure",
            Self::NotYetValid => "FAILED:certificate is not yet valid",
            Self::Expired => "FAILED:certificate has expired",
            Self::ListExpired => "FAILED:CRL has expired",
            Self::SelfSigned => "FAILED:self-signed certificate",
            Self::UnknownRoot => "FAILED:self-signed certificate in certificate chain",
            Self::UnknownIssuer => "FAILED:unable to get local issuer certificate",
            Self::UnknownIssuerOfOne => "FAILED:unable to verify the first certificate",
            Self::TooLong => "FAILED:certificate chain too long",
            Self::Revoked => "FAILED:certificate revoked",
            Self::NotAnAuthority => "FAILED:invalid CA certificate",
            Self::PathLength => "FAILED:path length constraint exceeded",
            Self::Purpose => "FAILED:unsuitable certificate purpose",
            Self::CriticalExtension => "FAILED:unhandled critical extension",
            Self::Name => "FAILED:permitted subtree violation",
        }
    }

    /// Whether nothing is wrong but that nobody here vouches for it.
    pub fn is_only_untrusted(self) -> bool {
        matches!(
            self,
            Self::SelfSigned | Self::UnknownRoot | Self::UnknownIssuer | Self::UnknownIssuerOfOne
        )
    }
}

impl From<webpki::Error> for Failure {
    fn from(error: webpki::Error) -> Self {
        use webpki::Error;
        match error {
            Error::CertExpired { .. } => Self::Expired,
            Error::CertNotValidYet { .. } => Self::NotYetValid,
            Error::CertRevoked => Self::Revoked,
            Error::UnknownRevocationStatus => Self::NoRevocationList,
            Error::CrlExpired { .. } => Self::ListExpired,
            Error::InvalidCrlSignatureForPublicKey => Self::ListSignature,
            Error::InvalidSignatureForPublicKey => Self::Signature,
            Error::MaximumPathDepthExceeded => Self::TooLong,
            Error::PathLenConstraintViolated => Self::PathLength,
            Error::EndEntityUsedAsCa => Self::NotAnAuthority,
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Self::Purpose,
            Error::NameConstraintViolation => Self::Name,
            Error::UnsupportedCriticalExtension => Self::CriticalExtension,
            Error::UnknownIssuer => Self::UnknownIssuer,
            _ => Self::Unspecified,
        }
    }
}
