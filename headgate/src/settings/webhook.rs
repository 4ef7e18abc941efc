//! Flags of the validating webhook (configmap-and-flags §12), and those of the certificate that headgate makes itself.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{ArgAction, Args};
use headgate_controller::{NamespacedName, admission::SelfManaged};

/// The flags.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Validating webhook")]
pub struct WebhookFlags {
    /// Answer reviews of Ingresses here, as host:port or :port [default: no webhook]
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    pub validating_webhook: String,
    /// Certificate of the webhook, PEM; read again when it changes
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    pub validating_webhook_certificate: String,
    /// Private key of that certificate, PEM
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    pub validating_webhook_key: String,
    /// Instead of files: Secret, as namespace/name, for a certificate that headgate makes and renews
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub validating_webhook_secret: Option<NamespacedName>,
    /// Service, as namespace/name, for whose DNS names it is made
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub validating_webhook_service: Option<NamespacedName>,
    /// ValidatingWebhookConfiguration whose caBundle is kept at it
    #[arg(long, value_name = "NAME")]
    pub validating_webhook_configuration: Option<String>,
    /// Review only the new Ingress, not whether the objects that it names exist
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub disable_full_test: bool,
}

/// Where and how reviews are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookPlan {
    /// Where to listen.
    pub address: String,
    /// Its certificate.
    pub certificate: WebhookCertificate,
}

/// Where the webhook's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookCertificate {
    /// Certificate and key.
    Files(PathBuf, PathBuf),
    /// A Secret that headgate keeps.
    SelfManaged(SelfManaged),
}

impl WebhookFlags {
    /// What they ask for; none without an address.
    pub fn plan(&self) -> anyhow::Result<Option<WebhookPlan>> {
        let address = self.validating_webhook.clone();
        let keeps = self.validating_webhook_secret.is_some()
            || self.validating_webhook_service.is_some()
            || self.validating_webhook_configuration.is_some();
        ensure!(
            !address.is_empty() || !keeps,
            "--validating-webhook-secret, -service and -configuration need --validating-webhook"
        );
        if address.is_empty() {
            return Ok(None);
        }
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        ensure!(
            port.is_some(),
            "--validating-webhook={address} is not of the form host:port or :port"
        );
        let certificate = if keeps { self.self_managed()? } else { self.files() };
        Ok(Some(WebhookPlan { address, certificate }))
    }

    /// As in the reference they need not exist, not even be named: handshakes fail until they are good.
    fn files(&self) -> WebhookCertificate {
        WebhookCertificate::Files(
            (&self.validating_webhook_certificate).into(),
            (&self.validating_webhook_key).into(),
        )
    }

    fn self_managed(&self) -> anyhow::Result<WebhookCertificate> {
        ensure!(
            self.validating_webhook_certificate.is_empty()
                && self.validating_webhook_key.is_empty(),
            "the webhook's certificate comes either from --validating-webhook-certificate and -key or from --validating-webhook-secret"
        );
        let (Some(secret), Some(service)) =
            (self.validating_webhook_secret.clone(), self.validating_webhook_service.clone())
        else {
            anyhow::bail!(
                "a certificate that headgate makes needs both --validating-webhook-secret and --validating-webhook-service"
            );
        };
        let configuration = self.validating_webhook_configuration.clone();
        let configuration = configuration.filter(|name| !name.is_empty());
        Ok(WebhookCertificate::SelfManaged(SelfManaged { secret, service, configuration }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<NamespacedName> {
        Some(text.parse().unwrap())
    }

    fn on(address: &str) -> WebhookFlags {
        WebhookFlags { validating_webhook: address.into(), ..WebhookFlags::default() }
    }

    #[test]
    fn without_an_address_there_is_no_webhook() {
        assert_eq!(on("").plan().unwrap(), None);
        let files = WebhookFlags { validating_webhook_key: "/key".into(), ..on("") };
        assert_eq!(files.plan().unwrap(), None);
        let secret = WebhookFlags { validating_webhook_secret: name("a/b"), ..on("") };
        assert!(secret.plan().is_err());
    }

    #[test]
    fn addresses() {
        for address in [":8443", "127.0.0.1:8443", "[::1]:8443", "localhost:0"] {
            assert_eq!(on(address).plan().unwrap().unwrap().address, address);
        }
        for address in ["8443", ":", ":x", ":65536", "localhost"] {
            assert!(on(address).plan().is_err(), "{address}");
        }
    }

    #[test]
    fn the_certificate_has_one_source() {
        let files = WebhookFlags {
            validating_webhook_certificate: "/cert".into(),
            validating_webhook_key: "/key".into(),
            ..on(":1")
        };
        let expected = WebhookCertificate::Files("/cert".into(), "/key".into());
        assert_eq!(files.plan().unwrap().unwrap().certificate, expected);
        assert!(WebhookFlags { validating_webhook_secret: name("a/b"), ..files }.plan().is_err());

        let keeps = || WebhookFlags {
            validating_webhook_secret: name("a/b"),
            validating_webhook_service: name("a/c"),
            ..on(":1")
        };
        let expected = |configuration: Option<&str>| {
            WebhookCertificate::SelfManaged(SelfManaged {
                secret: name("a/b").unwrap(),
                service: name("a/c").unwrap(),
                configuration: configuration.map(str::to_owned),
            })
        };
        assert_eq!(keeps().plan().unwrap().unwrap().certificate, expected(None));
        let configuration = Some("hooks".to_owned());
        let trusted = WebhookFlags { validating_webhook_configuration: configuration, ..keeps() };
        assert_eq!(trusted.plan().unwrap().unwrap().certificate, expected(Some("hooks")));
        assert!(WebhookFlags { validating_webhook_service: None, ..keeps() }.plan().is_err());
        assert!(WebhookFlags { validating_webhook_secret: None, ..keeps() }.plan().is_err());
    }
}
