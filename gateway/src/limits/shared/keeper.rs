//! Keeps the link to a store open, on a thread of its own: whatever else the process has to do, nothing makes the store
//! look slower than it is.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use headgate_config::protection::{LimitFallback, LimitStore};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
    RedisResult, TlsCertificates, aio::MultiplexedConnection,
};
use tokio::{
    runtime::Builder,
    time::{self, Instant},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{PREFIX, link::Link, script};
use crate::filter::rate::Pace;

/// For a connection, with its greeting.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// After a try that has failed.
const PAUSE: Duration = Duration::from_millis(200);
/// After a connection that has not lasted for [`LASTING`]. One that has may have been the victim of a hiccup.
const LONG_PAUSE: Duration = Duration::from_millis(700);
const LASTING: Duration = Duration::from_secs(1);
/// How often an open link is tried out, so that it is known to be broken before a request finds out.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// For such a try.
const PROBE_LIMIT: Duration = Duration::from_millis(500);
/// Between two lines in the log about a store that stays down for another reason than before.
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// Commands that wait to be sent before others wait for them.
const QUEUE: usize = 1024;

/// The thread; it ends when this is dropped.
pub struct Keeper {
    _stop: DropGuard,
}

impl Keeper {
    /// Starts to open the link to a store, and to keep it open.
    pub fn start(spec: &Arc<LimitStore>, link: &Arc<Link>) -> Self {
        let stop = CancellationToken::new();
        let (stopped, keep) = (stop.clone(), Keep::new(Arc::clone(spec), Arc::clone(link)));
        let run = move || {
            // Whatever goes wrong inside must not take the limits away for good.
            while panic::catch_unwind(AssertUnwindSafe(|| keep_open(&keep, &stopped))).is_err() {
                keep.link.give_up("it is asked anew after an error of the program".into());
                tracing::error!(
                    "asking the store of shared limits has failed by an error of the program; it starts anew"
                );
                thread::sleep(PAUSE);
            }
        };
        if let Err(error) = thread::Builder::new().name("limit-store".into()).spawn(run) {
            tracing::error!(%error, "the store of shared limits cannot be asked");
            link.fail(None, error.to_string());
        }
        Self { _stop: stop.drop_guard() }
    }
}

/// Keeps the link open until it is `stopped`.
fn keep_open(keep: &Keep, stopped: &CancellationToken) {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            runtime.block_on(stopped.run_until_cancelled(keep.clone().run()));
            // Nobody waits for a name that is still being looked up.
            runtime.shutdown_background();
        }
        Err(error) => keep.link.fail(None, format!("no thread for it: {error}")),
    }
}

/// Connections opened so far.
static NUMBER: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
struct Keep {
    spec: Arc<LimitStore>,
    link: Arc<Link>,
    /// For the log.
    server: String,
    said: Option<(String, Instant)>,
}

impl Keep {
    fn new(spec: Arc<LimitStore>, link: Arc<Link>) -> Self {
        let server = format!("{}:{}/{}", spec.host, spec.port, spec.database);
        Self { spec, link, server, said: None }
    }

    async fn run(mut self) {
        loop {
            let number = NUMBER.fetch_add(1, Relaxed);
            let pause = match self.connect().await {
                Ok(connection) => {
                    tracing::info!(server = %self.server, "the store of shared limits answers");
                    self.said = None;
                    let since = Instant::now();
                    self.link.open(number, connection.clone());
                    let reason = self.watch(number, connection).await;
                    self.say(reason);
                    if since.elapsed() < LASTING { LONG_PAUSE } else { Duration::ZERO }
                }
                Err(reason) => {
                    self.link.fail(None, reason.clone());
                    self.say(reason);
                    PAUSE
                }
            };
            time::sleep(pause).await;
        }
    }

    /// Waits until the connection has failed somebody; the reason.
    async fn watch(&self, number: u64, mut connection: MultiplexedConnection) -> String {
        let mut ticks = time::interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                reason = self.link.failure() => return reason,
                _ = ticks.tick() => {
                    if let Err(reason) = self.probe(&mut connection, PROBE_LIMIT).await {
                        self.link.fail(Some(number), reason);
                    }
                }
            }
        }
    }

    /// A connection over which the store has counted something as quickly as requests want it.
    async fn connect(&self) -> Result<MultiplexedConnection, String> {
        let client = client(&self.spec).map_err(|error| error.to_string())?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let opening = client.get_multiplexed_async_connection_with_config(&config);
        let opened = time::timeout(CONNECT_LIMIT, opening).await;
        let mut connection = opened
            .map_err(|_| format!("no connection within {CONNECT_LIMIT:?}"))?
            .map_err(|error| error.to_string())?;
        // The first time the script may have to be loaded.
        self.probe(&mut connection, PROBE_LIMIT).await?;
        self.probe(&mut connection, self.spec.timeout).await?;
        Ok(connection)
    }

    /// Counts a request of nobody: a server that may not be written to is of no use.
    async fn probe(
        &self,
        connection: &mut MultiplexedConnection,
        limit: Duration,
    ) -> Result<(), String> {
        let key = format!("{PREFIX}{{}}");
        let paces = [Some(Pace::of_probes()), None];
        match time::timeout(limit, script::take(connection, &key, &paces, None)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {limit:?}")),
        }
    }

    /// Says that the store is down, unless that is known.
    fn say(&mut self, reason: String) {
        let known = self.said.as_ref();
        if known.is_some_and(|(said, when)| *said == reason || when.elapsed() < SAY_AGAIN) {
            return;
        }
        let until = match self.spec.fallback {
            LimitFallback::Local => "each replica counts for itself until it does",
            LimitFallback::Closed => "what it would count is answered with 503 until it does",
        };
        tracing::warn!(server = %self.server, %reason, "the store of shared limits does not answer: {until}");
        self.said = Some((reason, Instant::now()));
    }
}

fn client(spec: &LimitStore) -> RedisResult<Client> {
    let mut login = RedisConnectionInfo::default()
        .set_db(spec.database.into())
        .set_lib_name("headgate", env!("CARGO_PKG_VERSION"));
    if let Some(given) = &spec.login {
        login = login.set_password(given.password());
        if let Some(username) = given.username() {
            login = login.set_username(username);
        }
    }
    let (host, port) = (spec.host.clone(), spec.port);
    let Some(tls) = &spec.tls else {
        let info = ConnectionAddr::Tcp(host, port).into_connection_info()?;
        return Client::open(info.set_redis_settings(login));
    };
    let address = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None };
    let authorities = tls.authorities.as_ref().map(|pem| pem.clone().into_bytes());
    let info = address.into_connection_info()?.set_redis_settings(login);
    let certificates = TlsCertificates { client_tls: None, root_cert: authorities };
    Client::build_with_tls(info, certificates)
}
