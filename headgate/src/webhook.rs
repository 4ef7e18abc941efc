//! Wires the webhook's server to the controller that answers its reviews, to its certificate, and to the metrics.

use std::sync::Arc;

use anyhow::Context;
use headgate_controller::{
    Access,
    admission::{Answer, Reviewer, Tally, keep_certificate},
};
use headgate_gateway::{
    observe::metrics::{Exposition, Kind, Metrics},
    webhook::{self, Identity, Reply, Respond, Webhook},
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::settings::{WebhookCertificate, WebhookPlan};

/// What the webhook is wired to beside the controller.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Where its certificate is kept from.
    pub runtime: &'a Runtime,
    /// Where reviews are counted.
    pub metrics: &'a Metrics,
    /// The end of everything.
    pub stop: &'a CancellationToken,
}

/// Starts the webhook. `access` is for a certificate that is kept in the cluster.
pub fn start(
    plan: WebhookPlan,
    reviewer: &Reviewer,
    access: Access,
    surroundings: Surroundings<'_>,
) -> anyhow::Result<Webhook> {
    let Surroundings { runtime, metrics, stop } = surroundings;
    let identity = match plan.certificate {
        WebhookCertificate::Files(certificate, key) => {
            Arc::new(Identity::of_files(certificate, key))
        }
        WebhookCertificate::SelfManaged(settings) => {
            let identity = Arc::new(Identity::default());
            let (kept, stop) = (Arc::clone(&identity), stop.clone());
            let serve = move |certificate: &str, key: &str| {
                kept.set(certificate.as_bytes(), key.as_bytes())
            };
            runtime.spawn(async move {
                tokio::select! {
                    ended = keep_certificate(access, settings, serve) => {
                        let Err(error) = ended;
                        tracing::error!("the webhook has no certificate: {error}");
                    }
                    () = stop.cancelled() => {}
                }
            });
            identity
        }
    };
    let listener = webhook::bind(&plan.address)
        .with_context(|| format!("cannot listen on {} (--validating-webhook)", plan.address))?;
    let webhook = webhook::start(listener, identity, respond(reviewer))
        .context("the webhook cannot start")?;
    if metrics.settings().enabled {
        let tally = Arc::clone(reviewer.tally());
        metrics.add_source(move |text| write_metrics(&tally, text));
    }
    tracing::info!(address = %webhook.address(), "the webhook answers reviews of Ingresses");
    Ok(webhook)
}

fn respond(reviewer: &Reviewer) -> Respond {
    let reviewer = reviewer.clone();
    Arc::new(move |body| {
        let reviewer = reviewer.clone();
        Box::pin(async move {
            let Answer { status, body } = reviewer.review(&body).await;
            Reply { status, body: body.into() }
        })
    })
}

/// Appends the reference's metrics of reviews (operations §3.3, §3.4). There is no rendered configuration whose size
/// could be told: `admission_config_size` is that of the review.
fn write_metrics(tally: &Tally, text: &mut Exposition) {
    let last = tally.last();
    let seconds = |time: Option<std::time::Duration>| time.unwrap_or_default().as_secs_f64();
    let count = |count: Option<usize>| count.unwrap_or_default() as f64;
    for (name, help, value) in [
        (
            "nginx_ingress_controller_admission_tested_ingresses",
            "Ingresses that the last review looked at",
            count(last.map(|last| last.tested)),
        ),
        (
            "nginx_ingress_controller_admission_tested_duration",
            "Seconds that the last review took to compare the new Ingress with others",
            seconds(last.map(|last| last.testing)),
        ),
        (
            "nginx_ingress_controller_admission_render_ingresses",
            "Ingresses that are served with the one that was reviewed last",
            count(last.map(|last| last.ingresses)),
        ),
        (
            "nginx_ingress_controller_admission_render_duration",
            "Seconds that the last review took to read the new Ingress",
            seconds(last.map(|last| last.reading)),
        ),
        (
            "nginx_ingress_controller_admission_roundtrip_duration",
            "Seconds from the last review to its answer",
            seconds(last.map(|last| last.total)),
        ),
        (
            "nginx_ingress_controller_admission_config_size",
            "Bytes of the last review",
            count(last.map(|last| last.bytes)),
        ),
    ] {
        text.family(name, Kind::Gauge, help);
        text.instance_sample(name, &[], value);
    }
    let reviews = tally.by_ingress();
    for (name, help, of) in [
        (
            "nginx_ingress_controller_check_success",
            "Reviews of an Ingress that passed",
            (|one| one.passed) as fn(&headgate_controller::admission::IngressReviews) -> u64,
        ),
        ("nginx_ingress_controller_check_errors", "Reviews of an Ingress that failed", |one| {
            one.failed
        }),
    ] {
        let counted: Vec<_> = reviews.iter().filter(|one| of(one) > 0).collect();
        if !counted.is_empty() {
            text.family(name, Kind::Counter, help);
        }
        for one in counted {
            let labels = [("ingress", one.name.as_str()), ("namespace", one.namespace.as_str())];
            text.instance_sample(name, &labels, of(one));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::SystemTime};

    use headgate_controller::admission::certificate::{self, issue, service_names};
    use headgate_gateway::observe::metrics::MetricsSettings;
    use rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    };
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;

    use super::*;

    /// Whether a client that trusts these authorities gets a connection.
    async fn trusts(address: SocketAddr, authorities: &str, name: &'static str) -> bool {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            roots.add(authority.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.is_ok()
    }

    #[tokio::test]
    async fn a_certificate_that_is_made_is_trusted_by_who_trusts_its_authority() {
        let names = service_names("ns", "hook");
        let now = SystemTime::now();
        let first = issue(&names, "", now).unwrap();
        let second = issue(&names, &first.authorities, now).unwrap();
        let identity = Arc::new(Identity::default());
        let set = |made: &certificate::Identity| {
            identity.set(made.certificate.as_bytes(), made.key.as_bytes()).unwrap();
        };
        let never: Respond = Arc::new(|_| Box::pin(std::future::pending()));
        let listener = webhook::bind("127.0.0.1:0").unwrap();
        let webhook = webhook::start(listener, Arc::clone(&identity), never).unwrap();
        let address = webhook.address();
        assert!(!trusts(address, &first.authorities, "hook.ns.svc").await, "there is none yet");

        set(&first);
        assert!(trusts(address, &first.authorities, "hook.ns.svc").await);
        assert!(!trusts(address, &first.authorities, "other.ns.svc").await);
        // The bundle of a renewal is for both; the old one is not for what it has never heard of.
        assert!(trusts(address, &second.authorities, "hook.ns.svc").await);
        set(&second);
        assert!(trusts(address, &second.authorities, "hook.ns.svc").await);
        assert!(!trusts(address, &first.authorities, "hook.ns.svc").await);
    }

    #[test]
    fn metrics_are_there_before_the_first_review() {
        let metrics = Metrics::new(MetricsSettings::default());
        metrics.add_source(|text| write_metrics(&Tally::default(), text));
        let text: Vec<u8> = metrics.scrape().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        for name in [
            "tested_ingresses",
            "tested_duration",
            "render_ingresses",
            "render_duration",
            "roundtrip_duration",
            "config_size",
        ] {
            let line = format!("nginx_ingress_controller_admission_{name}{{");
            let line = text.lines().find(|found| found.starts_with(&line)).unwrap();
            assert!(line.contains("controller_class=") && line.ends_with(" 0"), "{line}");
        }
        assert!(!text.contains("nginx_ingress_controller_check_"));
    }
}
