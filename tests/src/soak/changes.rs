//! The changes of the soak: routes come, change and go, on hosts of their own and on a host under load; that host switches
//! between plain and regular-expression mode; endpoints move; certificates are replaced. Each change must become visible
//! from outside before the next is made.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    Options,
    load::Addresses,
    scene::{MOVING, NAMESPACE, PLAIN, SECURE, Scene},
};
use crate::{
    client::Connection,
    manifests::{self, Ingress},
    stats::Sample,
    tls::{self, SelfSigned},
};

/// How many routes of each sort come and go in turn.
const SLOTS: usize = 20;
const FAILURES: usize = 20;

/// What was changed and how long it took to become visible.
#[derive(Debug, Default)]
pub struct Changes {
    /// Changes made, visible or not.
    pub made: usize,
    /// Changes that did not become visible in time, with the reason.
    pub failures: Vec<String>,
    visible: BTreeMap<&'static str, Vec<Duration>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Host,
    Path,
    Mode,
    Endpoints,
    Certificate,
}

/// Ten changes in turn: which part of the configuration the n-th one touches.
const TURNS: [Kind; 10] = [
    Kind::Host,
    Kind::Path,
    Kind::Endpoints,
    Kind::Certificate,
    Kind::Mode,
    Kind::Host,
    Kind::Endpoints,
    Kind::Path,
    Kind::Certificate,
    Kind::Endpoints,
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Path => "path",
            Self::Mode => "mode",
            Self::Endpoints => "endpoints",
            Self::Certificate => "certificate",
        }
    }
}

impl Changes {
    /// Makes the changes, spread evenly over the time of the run. Ends early after too many failures.
    pub async fn make(scene: &Scene, addresses: Addresses, options: &Options) -> Self {
        let mut changes = Self::default();
        let mut changer =
            match Changer::new(scene, addresses, Duration::from_millis(options.visible_ms)) {
                Ok(changer) => changer,
                Err(error) => {
                    changes.failures.push(error.to_string());
                    return changes;
                }
            };
        let begin = Instant::now();
        let spacing = Duration::from_secs(options.seconds)
            / u32::try_from(options.changes.max(1)).unwrap_or(u32::MAX);
        for number in 0..options.changes {
            let kind = TURNS[number % TURNS.len()];
            changes.made += 1;
            match changer.change(kind).await {
                Ok(took) => changes.visible.entry(kind.name()).or_default().push(took),
                Err(error) => {
                    changes.failures.push(format!("change {number} ({}): {error}", kind.name()))
                }
            }
            if changes.failures.len() >= FAILURES {
                break;
            }
            let due = spacing * u32::try_from(number + 1).unwrap_or(u32::MAX);
            tokio::time::sleep(due.saturating_sub(begin.elapsed())).await;
        }
        changes
    }

    /// Time from change to visible, by kind and for all.
    pub fn json(&self) -> Value {
        let kinds: BTreeMap<&str, Value> = self
            .visible
            .iter()
            .map(|(kind, all)| (*kind, Sample::new(all.clone()).json()))
            .collect();
        json!({ "made": self.made, "failures": self.failures, "visible": kinds, "all": self.all().json() })
    }

    fn all(&self) -> Sample {
        Sample::new(self.visible.values().flatten().copied().collect())
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "change to visible, under load:")?;
        for (kind, all) in &self.visible {
            writeln!(f, "  {kind:<12} {}", Sample::new(all.clone()))?;
        }
        writeln!(f, "  {:<12} {}", "all", self.all())?;
        self.failures.iter().try_for_each(|failure| writeln!(f, "  {failure}"))
    }
}

struct Changer<'a> {
    scene: &'a Scene,
    addresses: Addresses,
    limit: Duration,
    tls: tls::Client,
    polling: Option<Connection<tokio::net::TcpStream>>,
    steps: BTreeMap<Kind, usize>,
}

impl<'a> Changer<'a> {
    fn new(scene: &'a Scene, addresses: Addresses, limit: Duration) -> Result<Self> {
        Ok(Self {
            scene,
            addresses,
            limit,
            tls: tls::Client::new()?,
            polling: None,
            steps: BTreeMap::new(),
        })
    }

    /// Makes the next change of a kind; the time until it was visible.
    async fn change(&mut self, kind: Kind) -> Result<Duration> {
        let counter = self.steps.entry(kind).or_default();
        let step = *counter;
        *counter += 1;
        match kind {
            Kind::Host => self.route(step, Place::Host).await,
            Kind::Path => self.route(step, Place::Path).await,
            Kind::Mode => self.mode(step).await,
            Kind::Endpoints => self.endpoints(step).await,
            Kind::Certificate => self.certificate().await,
        }
    }

    /// Every slot goes through added (to blue), modified (to green), removed.
    async fn route(&mut self, step: usize, place: Place) -> Result<Duration> {
        let (slot, phase) = (step % SLOTS, step / SLOTS % 3);
        let file = format!("{}-{slot}", place.word());
        let (host, path) = match place {
            Place::Host => (format!("churn-{slot}.soak.example"), "/".to_owned()),
            Place::Path => (PLAIN.to_owned(), format!("/churn-{slot}")),
        };
        let service = if phase == 0 { "blue" } else { "green" };
        let ingress = Ingress::new(NAMESPACE, &file).prefix(&host, &path, service).text();
        let begin = Instant::now();
        if phase < 2 {
            self.scene.folder.write(&file, &ingress)?;
        } else {
            self.scene.folder.remove(&file)?;
        }
        // Without its Ingress an unknown host is nobody's, and a path falls back to the host's `/`.
        let gone = if place == Place::Host { "404" } else { "200 steady-" };
        let expected = if phase < 2 { format!("200 {service} ") } else { gone.to_owned() };
        self.until(begin, &host, &format!("{path}?{step}"), |seen| seen.starts_with(&expected))
            .await
    }

    /// Switches the plain host to regular expressions and back; only then case is ignored.
    async fn mode(&mut self, step: usize) -> Result<Duration> {
        let (regex, expected) =
            if step.is_multiple_of(2) { ("true", "200 blue ") } else { ("false", "200 steady-") };
        let ingress = Ingress::new(NAMESPACE, "mode")
            .annotation("use-regex", regex)
            .prefix(PLAIN, "/mode-switch", "blue")
            .text();
        let begin = Instant::now();
        self.scene.folder.write("mode", &ingress)?;
        self.until(begin, PLAIN, "/MODE-SWITCH", |seen| seen.starts_with(expected)).await
    }

    async fn endpoints(&mut self, step: usize) -> Result<Duration> {
        let members = MOVING[(step + 1) % 2];
        let slice = self.scene.slice("moving", &members);
        let begin = Instant::now();
        self.scene.folder.write("slice-moving", &slice)?;
        self.until(begin, PLAIN, "/moving/probe", |seen| {
            members.iter().any(|name| seen.starts_with(&format!("200 {name} ")))
        })
        .await
    }

    async fn certificate(&mut self) -> Result<Duration> {
        let pair = SelfSigned::new(&[SECURE])?;
        let secret = manifests::tls_secret(NAMESPACE, "secure", &pair);
        let begin = Instant::now();
        self.scene.folder.write("secret-secure", &secret)?;
        while begin.elapsed() < self.limit {
            let (_, shown) = self.tls.connect(self.addresses.https, SECURE).await?;
            if shown == pair.der {
                return Ok(begin.elapsed());
            }
        }
        bail!("the old certificate is still shown after {:?}", self.limit)
    }

    /// Asks as fast as possible until `STATUS BODY` is what was expected; the time since `begin`.
    async fn until(
        &mut self,
        begin: Instant,
        host: &str,
        target: &str,
        expected: impl Fn(&str) -> bool,
    ) -> Result<Duration> {
        let mut seen = String::new();
        while begin.elapsed() < self.limit {
            seen =
                self.ask(host, target).await.with_context(|| format!("asking {host}{target}"))?;
            if expected(&seen) {
                return Ok(begin.elapsed());
            }
        }
        let seen: String = seen.chars().take(60).collect();
        bail!("{host}{target} still answers {seen:?} after {:?}", self.limit)
    }

    async fn ask(&mut self, host: &str, target: &str) -> Result<String> {
        let mut connection = match self.polling.take() {
            Some(connection) => connection,
            None => open(self.addresses.http).await?,
        };
        let answer = connection.get(host, target).await?;
        if !answer.close {
            self.polling = Some(connection);
        }
        Ok(format!("{} {}", answer.status, answer.text()))
    }
}

async fn open(address: SocketAddr) -> Result<Connection<tokio::net::TcpStream>> {
    Ok(Connection::open(address).await?)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    Path,
}

impl Place {
    fn word(self) -> &'static str {
        match self {
            Self::Host => "churn-host",
            Self::Path => "churn-path",
        }
    }
}
