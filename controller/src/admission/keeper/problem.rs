//! What keeps the webhook's certificate from being in order, in words for whoever can change it.

use std::fmt;

use kube::Error;

use crate::options::NamespacedName;

/// What keeps the certificate from being in order. The next round tries again.
#[derive(Debug)]
pub enum Problem {
    /// The API server did not do what was asked.
    Request { what: String, error: Error },
    /// The configuration has no webhook that calls our Service.
    NotOurs { configuration: String, service: NamespacedName },
    /// There is no such configuration.
    NoConfiguration(String),
    /// No certificate can be made.
    Made(String),
    /// It cannot be served.
    Served(String),
    /// Others change it all the time.
    Contended,
    /// No answer came.
    Silence,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { what, error: Error::Api(status) } if status.is_forbidden() => {
                write!(f, "not allowed to {what}; grant it to the ServiceAccount")
            }
            Self::Request { what, error } => write!(f, "cannot {what}: {error}"),
            Self::NotOurs { configuration, service } => write!(
                f,
                "no webhook of the ValidatingWebhookConfiguration {configuration} calls the Service {service}; correct --validating-webhook-configuration or --validating-webhook-service"
            ),
            Self::NoConfiguration(name) => write!(
                f,
                "there is no ValidatingWebhookConfiguration {name}, so that nobody asks; create it or correct --validating-webhook-configuration"
            ),
            Self::Made(error) => write!(f, "cannot be made: {error}"),
            Self::Served(error) => write!(f, "cannot be served: {error}"),
            Self::Contended => f.write_str("others change its Secret all the time"),
            Self::Silence => f.write_str("the API server does not answer"),
        }
    }
}
