//! Keeps the webhook's own certificate: in a Secret that all replicas share, and trusted by the API server through the
//! `caBundle` of the webhook's configuration.
//!
//! Every replica does the same, whoever is leader: what one has made, the others find. A new certificate is trusted
//! first and served some seconds later; the authority of the one before stays trusted, as long as any replica may
//! serve it.
//!
//! A certificate is made, judged, and replaced for its age by the clock of the API server, which is who checks it: every
//! answer of it has a date. Replicas whose clocks are wrong agree on it, so that none replaces what another has made, and
//! none keeps what has expired.

mod dated;
mod problem;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use k8s_openapi::{
    ByteString,
    api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret},
};
use kube::{
    Api, Client, Error,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::certificate::{self, Identity};
use crate::{
    options::NamespacedName,
    source::cluster::{Access, ClusterError},
};
use problem::Problem;

/// How often the Secret and the configuration are looked at. Without its caBundle no Ingress can be changed, so that a
/// configuration that was applied anew must not stay without for long.
const EVERY: Duration = Duration::from_secs(30);
/// The same while anything is wrong.
const EVERY_UNTIL_WELL: Duration = Duration::from_secs(5);
/// Between trusting a certificate and serving it, where another one is served meanwhile: API servers hear of a changed
/// configuration a moment later.
const SETTLE: Duration = Duration::from_secs(10);
/// What a look may take, with all its requests.
const LONGEST_ROUND: Duration = Duration::from_secs(60);
/// A clock that differs more than this from the API server's is worth a word.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60 * 60);
/// How often an object that others change at the same time is read again.
const TRIES: u32 = 4;

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";

/// Which objects the certificate is kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfManaged {
    /// The Secret that holds it; made if it does not exist.
    pub secret: NamespacedName,
    /// The Service whose names it is for.
    pub service: NamespacedName,
    /// The ValidatingWebhookConfiguration that is to trust it.
    pub configuration: Option<String>,
}

/// Keeps the certificate, for ever. `serve` is given certificate and key in PEM, at first and whenever they change.
///
/// # Errors
///
/// If nothing says where the API server is.
pub async fn keep_certificate(
    access: Access,
    settings: SelfManaged,
    serve: impl Fn(&str, &str) -> Result<(), String>,
) -> Result<Infallible, ClusterError> {
    let mut keeper = Keeper::new(access.client().await?, settings, serve);
    let mut said = None;
    loop {
        let round = tokio::time::timeout(LONGEST_ROUND, keeper.round(SystemTime::now())).await;
        let round = round.unwrap_or(Err(Problem::Silence));
        let problem = round.err().map(|problem| problem.to_string());
        if problem != said {
            match &problem {
                Some(problem) if keeper.served.is_none() => {
                    tracing::error!("the webhook's certificate: {problem}");
                }
                Some(problem) => tracing::warn!("the webhook's certificate: {problem}"),
                None => tracing::info!("the webhook's certificate is in order"),
            }
        }
        let pause = if problem.is_some() { EVERY_UNTIL_WELL } else { EVERY };
        said = problem;
        // Replicas that were started together need not ask together.
        tokio::time::sleep(pause.mul_f32(0.75 + fastrand::f32() / 2.0)).await;
    }
}

struct Keeper<S> {
    client: Client,
    secrets: Api<Secret>,
    configurations: Api<ValidatingWebhookConfiguration>,
    settings: SelfManaged,
    names: Vec<String>,
    serve: S,
    served: Option<Identity>,
    settle: Duration,
    /// Whether our clock was wrong when the API server's was seen last.
    is_clock_wrong: AtomicBool,
}

impl<S: Fn(&str, &str) -> Result<(), String>> Keeper<S> {
    fn new(client: Client, settings: SelfManaged, serve: S) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), &settings.secret.namespace),
            configurations: Api::all(client.clone()),
            names: certificate::service_names(&settings.service.namespace, &settings.service.name),
            settings,
            serve,
            served: None,
            settle: SETTLE,
            is_clock_wrong: AtomicBool::new(false),
            client,
        }
    }

    /// Puts everything in order that is not.
    async fn round(&mut self, now: SystemTime) -> Result<(), Problem> {
        let (identity, now) = self.identity(now).await?;
        let trusted = self.trust(&identity).await;
        match &self.served {
            Some(served) if served.is_same_certificate(&identity) => {}
            // While the new one is not trusted, the old one is better.
            Some(served) if trusted.is_err() && certificate::is_usable(served, now) => {
                return trusted;
            }
            served => {
                if served.is_some() {
                    tokio::time::sleep(self.settle).await;
                }
                (self.serve)(&identity.certificate, &identity.key).map_err(Problem::Served)?;
                tracing::info!(secret = %self.settings.secret, "the webhook serves the certificate of its Secret");
            }
        }
        self.served = Some(identity);
        trusted
    }

    /// The certificate of the Secret, after it was made or replaced if need be, and the time by which it is good.
    async fn identity(&self, ours: SystemTime) -> Result<(Identity, SystemTime), Problem> {
        let SelfManaged { secret: NamespacedName { name, .. }, .. } = &self.settings;
        for _ in 0..TRIES {
            let found = dated::get(&self.client, &self.settings.secret).await;
            let (found, theirs) = found.map_err(|error| self.request("get", error))?;
            let now = self.time(theirs, ours);
            let held = found.as_ref().map(held).ok_or_else(|| "it does not exist".to_owned());
            let checked = held.and_then(|held| {
                certificate::check(&held, &self.names, now)?;
                Ok(held)
            });
            let fault = match checked {
                Ok(held) => return Ok((held, now)),
                Err(fault) => fault,
            };
            // Others may still serve what we serve, even if its Secret was deleted.
            let before = found.as_ref().map(self::held).or_else(|| self.served.clone());
            let before = before.map(|before| before.authorities).unwrap_or_default();
            let made = certificate::issue(&self.names, &before, now)
                .map_err(|error| Problem::Made(error.to_string()))?;
            tracing::info!(secret = %self.settings.secret, fault, "a new certificate for the webhook");
            let parameters = PostParams::default();
            let written = match found {
                None => self.secrets.create(&parameters, &self.secret(&made)).await,
                // With the version that was read, so that nobody's change is lost.
                Some(mut secret) => {
                    secret.data.get_or_insert_default().extend(data(&made));
                    self.secrets.replace(name, &parameters, &secret).await
                }
            };
            match written {
                Ok(_) => return Ok((made, now)),
                // Another replica was quicker: its certificate is as good.
                Err(Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {}
                Err(error) => return Err(self.request("create or update", error)),
            }
        }
        Err(Problem::Contended)
    }

    /// The time by the API server's clock; by ours if something on the way takes the date from its answers.
    fn time(&self, theirs: Option<SystemTime>, ours: SystemTime) -> SystemTime {
        let theirs = theirs.unwrap_or(ours);
        let apart = theirs.duration_since(ours).unwrap_or_else(|error| error.duration());
        let is_wrong = apart > CLOCKS_DIFFER;
        if !self.is_clock_wrong.swap(is_wrong, Relaxed) && is_wrong {
            tracing::warn!(
                seconds = apart.as_secs(),
                "the clock of this machine differs from the API server's; correct it. The webhook's certificate is kept by the API server's"
            );
        }
        theirs
    }

    /// Makes the configuration trust the authorities. What else it trusts is left alone: it may be what a replica has
    /// made that we have not read yet.
    async fn trust(&self, identity: &Identity) -> Result<(), Problem> {
        let Some(name) = &self.settings.configuration else { return Ok(()) };
        let request = |verb: &str, error| Problem::Request {
            what: format!("{verb} the ValidatingWebhookConfiguration {name}"),
            error,
        };
        let found = self.configurations.get_opt(name).await;
        let found = found.map_err(|error| request("get", error))?;
        let found = found.ok_or_else(|| Problem::NoConfiguration(name.clone()))?;
        let service = &self.settings.service;
        let hooks = found.webhooks.iter().flatten();
        let ours: Vec<_> = hooks
            .filter(|hook| {
                hook.client_config.service.as_ref().is_some_and(|called| {
                    (&called.namespace, &called.name) == (&service.namespace, &service.name)
                })
            })
            .collect();
        if ours.is_empty() {
            return Err(Problem::NotOurs { configuration: name.clone(), service: service.clone() });
        }
        let trusts = |bundle: &Option<ByteString>| {
            bundle.as_ref().is_some_and(|held| certificate::holds(&held.0, &identity.authorities))
        };
        let bundle = ByteString(identity.authorities.clone().into_bytes());
        let hooks: Vec<_> = ours
            .iter()
            .filter(|hook| !trusts(&hook.client_config.ca_bundle))
            .map(|hook| json!({ "name": hook.name, "clientConfig": { "caBundle": bundle } }))
            .collect();
        if hooks.is_empty() {
            return Ok(());
        }
        // Webhooks are merged by their names.
        let patch = Patch::Strategic(json!({ "webhooks": hooks }));
        let patched = self.configurations.patch(name, &PatchParams::default(), &patch).await;
        patched.map_err(|error| request("patch", error))?;
        tracing::info!(configuration = name, "the API server trusts the webhook's certificate");
        Ok(())
    }

    fn secret(&self, identity: &Identity) -> Secret {
        let NamespacedName { namespace, name } = &self.settings.secret;
        let labels = [("app.kubernetes.io/managed-by".to_owned(), "headgate".to_owned())];
        Secret {
            metadata: ObjectMeta {
                namespace: Some(namespace.clone()),
                name: Some(name.clone()),
                labels: Some(labels.into()),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".into()),
            data: Some(data(identity).into()),
            ..Secret::default()
        }
    }

    fn request(&self, verb: &str, error: Error) -> Problem {
        Problem::Request { what: format!("{verb} the Secret {}", self.settings.secret), error }
    }
}

/// What a Secret holds. What is missing is empty, and found to be no certificate.
fn held(secret: &Secret) -> Identity {
    let empty = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&empty);
    let item = |name: &str| {
        let bytes = data.get(name).map_or(&[][..], |bytes| &bytes.0);
        String::from_utf8_lossy(bytes).into_owned()
    };
    Identity { authorities: item(AUTHORITIES), certificate: item(CERTIFICATE), key: item(KEY) }
}

fn data(identity: &Identity) -> [(String, ByteString); 3] {
    let item = |name: &str, text: &str| (name.to_owned(), ByteString(text.as_bytes().to_vec()));
    [
        item(AUTHORITIES, &identity.authorities),
        item(CERTIFICATE, &identity.certificate),
        item(KEY, &identity.key),
    ]
}

#[cfg(test)]
mod tests;
