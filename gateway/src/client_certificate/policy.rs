//! What a host makes of the certificates of its clients.

use std::{fmt, sync::Arc};

use headgate_config::{
    ClientCertificates,
    client_certificates::{ErrorPage, Mode, Verification},
};
use http::HeaderValue;
use rustls_pki_types::UnixTime;
use smallvec::SmallVec;

use super::{
    Failure, Identity,
    trust::{Trust, Trusts},
};
use crate::{
    listen::conn::Connection,
    route::{host::Program, target::normalise},
};

/// The names of the headers that upstreams are told in. Clients cannot send them.
const VERIFY: &str = "ssl-client-verify";
const SUBJECT: &str = "ssl-client-subject-dn";
const ISSUER: &str = "ssl-client-issuer-dn";
const CERTIFICATE: &str = "ssl-client-cert";

/// A host's rules, ready to be applied.
#[derive(Debug)]
pub enum Policy {
    /// Certificates are looked at.
    Verify(Box<Rules>),
    /// Nobody may come.
    Refuse,
}

/// Rules by which certificates are looked at.
pub struct Rules {
    spec: Arc<ClientCertificates>,
    mode: Mode,
    depth: u32,
    trust: Arc<Trust>,
    subject: Option<Subject>,
    page: Option<Page>,
}

/// What is answered instead of the page for a bad certificate, or for none.
pub enum Page {
    /// 302 to here.
    Redirect(HeaderValue),
    /// What the host answers to `GET` of this path.
    Path(HeaderValue),
}

struct Subject {
    pattern: Program,
    /// What becomes of clients without a certificate.
    matches_none: bool,
}

/// What came of looking at a connection's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is none.
    None,
    /// It is good.
    Good,
    /// It is not.
    Bad(Failure),
}

impl Outcome {
    /// `$ssl_client_verify`.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Good => "SUCCESS",
            Self::Bad(failure) => failure.text(),
        }
    }
}

/// The outcome for a connection, with what it holds for.
#[derive(Debug)]
pub struct Judged {
    trust: Arc<Trust>,
    depth: u32,
    outcome: Outcome,
}

/// Why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A certificate is required, and there is none.
    Missing,
    /// The certificate is not good.
    Bad,
    /// Its subject is none of those that may come.
    Subject,
}

impl Policy {
    /// Compiles what is configured. Hosts with the same authorities share what is made of them in `trusts`.
    ///
    /// # Errors
    ///
    /// What cannot be used; nobody may come then.
    pub fn new(spec: &Arc<ClientCertificates>, trusts: &Trusts) -> Result<Self, String> {
        let ClientCertificates::Verify(verification) = &**spec else { return Ok(Self::Refuse) };
        let subject = verification.subject.as_deref().map(Subject::new).transpose()?;
        let page = verification.error_page.as_ref().and_then(|page| match page {
            ErrorPage::Redirect(url) => HeaderValue::from_str(url).ok().map(Page::Redirect),
            // One that no request can name is none.
            ErrorPage::Path(path) => normalise(path.as_bytes())
                .ok()
                .and_then(|_| HeaderValue::from_str(path).ok())
                .map(Page::Path),
        });
        Ok(Self::Verify(Box::new(Rules {
            mode: verification.mode,
            depth: verification.depth,
            trust: trusts.find(&verification.authorities)?,
            subject,
            page,
            spec: Arc::clone(spec),
        })))
    }

    /// The authorities that clients are asked for a certificate of; `None` if they are not asked.
    pub fn asks(&self) -> Option<&Arc<Trust>> {
        match self {
            Self::Verify(rules) if rules.mode != Mode::Off => Some(&rules.trust),
            Self::Verify(_) | Self::Refuse => None,
        }
    }

    /// What upstreams, and whoever else is asked about a request, are told about a certificate: names and values.
    /// Nothing over plain HTTP.
    pub fn told<'a>(&self, connection: &'a Connection) -> SmallVec<[(&'static str, &'a [u8]); 4]> {
        let mut told: SmallVec<[(_, &[u8]); 4]> = SmallVec::new();
        if let Self::Verify(rules) = self
            && connection.tls
        {
            told.push((VERIFY, rules.outcome(connection).text().as_bytes()));
            if let Some(identity) = rules.identity(connection) {
                told.push((SUBJECT, identity.subject().as_bytes()));
                told.push((ISSUER, identity.issuer().as_bytes()));
                if rules.verification().is_some_and(|spec| spec.pass_certificate) {
                    told.push((CERTIFICATE, identity.escaped().as_bytes()));
                }
            }
        }
        told.retain(|(_, value)| !value.is_empty());
        told
    }
}

impl Rules {
    /// Looks at the certificate of a connection.
    ///
    /// # Errors
    ///
    /// If it is not what has to be shown, before the subject is looked at.
    pub fn check(&self, connection: &Connection) -> Result<(), Refused> {
        if !connection.tls || self.mode == Mode::Off {
            return Ok(());
        }
        match self.outcome(connection) {
            Outcome::Good => Ok(()),
            Outcome::None if self.mode == Mode::Required => Err(Refused::Missing),
            Outcome::None => Ok(()),
            Outcome::Bad(failure)
                if self.mode == Mode::OptionalUntrusted && failure.is_only_untrusted() =>
            {
                Ok(())
            }
            Outcome::Bad(_) => Err(Refused::Bad),
        }
    }

    /// Looks at the name of the certificate's subject, over plain HTTP as well: there it is empty.
    ///
    /// # Errors
    ///
    /// If it is none of those that may come.
    pub fn check_subject(&self, connection: &Connection) -> Result<(), Refused> {
        let Some(subject) = &self.subject else { return Ok(()) };
        let matches = match self.identity(connection) {
            Some(identity) => subject.pattern.matches(identity.subject().as_bytes()),
            None => subject.matches_none,
        };
        matches.then_some(()).ok_or(Refused::Subject)
    }

    /// What is answered instead of the page for a bad certificate, or for none.
    pub fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    fn verification(&self) -> Option<&Verification> {
        match &*self.spec {
            ClientCertificates::Verify(verification) => Some(verification),
            ClientCertificates::Refuse => None,
        }
    }

    /// The certificate, if this host asks for any.
    fn identity<'a>(&self, connection: &'a Connection) -> Option<&'a Identity> {
        let asks = self.mode != Mode::Off;
        connection.session().filter(|_| asks)?.client.as_deref()
    }

    fn outcome(&self, connection: &Connection) -> Outcome {
        let Some(identity) = self.identity(connection) else { return Outcome::None };
        let same =
            |judged: &Judged| Arc::ptr_eq(&judged.trust, &self.trust) && judged.depth == self.depth;
        connection.judged(
            same,
            |judged| judged.outcome,
            || {
                let verified = self.trust.verify(identity, self.depth, UnixTime::now());
                let outcome = verified.map_or_else(Outcome::Bad, |()| Outcome::Good);
                Judged { trust: Arc::clone(&self.trust), depth: self.depth, outcome }
            },
        )
    }
}

impl Judged {
    /// `$ssl_client_verify`.
    pub fn text(&self) -> &'static str {
        self.outcome.text()
    }
}

impl Subject {
    fn new(text: &str) -> Result<Self, String> {
        // Patterns are matched without regard to case where nothing else is said.
        let pattern = Program::new(&format!("(?-i){text}"))
            .map_err(|error| format!("the pattern {text:?} cannot be used: {error}"))?;
        Ok(Self { matches_none: pattern.matches(b""), pattern })
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}
