//! Certificates that the clients of a host have to show (annotations §3.5). They hold for all of its locations.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::ObjectRef;

/// What becomes of the clients of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientCertificates {
    /// Their certificates are looked at.
    Verify(Verification),
    /// Nobody may come, over TLS or not: what they are to be verified by cannot be had. Every request is answered 403.
    Refuse,
}

/// How certificates are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Whom they have to come from.
    pub authorities: Arc<Authorities>,
    /// Who has to have one.
    pub mode: Mode,
    /// How many certificates there may be between the client's and that of an authority, neither counted.
    pub depth: u32,
    /// A PCRE that the name of the subject has to match somewhere, or 403 is answered. It is case-sensitive; the name
    /// is as RFC 2253 writes it, and empty for clients without a certificate.
    pub subject: Option<String>,
    /// What is answered instead of the page for a bad certificate, or for none.
    pub error_page: Option<ErrorPage>,
    /// Send the certificate to upstreams.
    pub pass_certificate: bool,
    /// The object that asks for it.
    pub origin: ObjectRef,
}

/// Who has to have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Everybody, and a good one.
    Required,
    /// Nobody; but who has one needs a good one.
    Optional,
    /// Nobody; it may come from anybody, but has to be good otherwise. Upstreams are told what is wrong with it.
    OptionalUntrusted,
    /// Nobody is asked for one.
    Off,
}

/// What is answered instead of a 400.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorPage {
    /// 302 with this `Location`.
    Redirect(String),
    /// What the host answers to `GET` of this path.
    Path(String),
}

/// Authorities that certificates may come from. The control plane has checked that all of it can be parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Authorities {
    /// Their certificates, each in DER.
    #[serde(serialize_with = "count")]
    pub certificates: Vec<Vec<u8>>,
    /// Lists of certificates that they have revoked, each in DER. With any, each certificate needs one of its issuer.
    #[serde(serialize_with = "count")]
    pub revocation_lists: Vec<Vec<u8>>,
}

fn count<S: Serializer>(items: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&items.len())
}
