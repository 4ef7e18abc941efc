//! Connections to a store: name, address, encryption, greeting.

use std::{io, time::Duration};

use futures_util::future::select_ok;
use headgate_config::protection::{LimitStore, StoreTls};
use redis::{AsyncConnectionConfig, RedisConnectionInfo, aio::MultiplexedConnection};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{self, TcpStream},
    time,
};

use crate::upstream::tls::Tls;

/// For a connection, with its greeting.
const LIMIT: Duration = Duration::from_millis(500);
/// Commands that wait to be sent before others wait for them.
const QUEUE: usize = 1024;

/// How connections to one store are made. What never changes about them is read once.
pub struct Connector<'a> {
    store: &'a LimitStore,
    login: RedisConnectionInfo,
    tls: Option<Tls>,
}

impl<'a> Connector<'a> {
    /// For a store.
    ///
    /// # Errors
    /// Its certificate can never be verified.
    pub fn new(store: &'a LimitStore) -> Result<Self, String> {
        let tls = store.tls.as_ref().map(|tls| encryption(&store.host, tls)).transpose()?;
        Ok(Self { store, login: login(store), tls })
    }

    /// A connection over which the store has greeted.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect(&self) -> Result<MultiplexedConnection, String> {
        let opened = time::timeout(LIMIT, self.open()).await;
        opened.map_err(|_| format!("no connection within {LIMIT:?}"))?
    }

    async fn open(&self) -> Result<MultiplexedConnection, String> {
        let stream = self.reach().await.map_err(|error| error.to_string())?;
        match &self.tls {
            None => self.greet(stream).await,
            Some(tls) => {
                let encrypted = tls.handshake(stream).await;
                self.greet(encrypted.map_err(|error| error.to_string())?).await
            }
        }
    }

    /// Whichever address of the host answers first.
    async fn reach(&self) -> io::Result<TcpStream> {
        let addresses = net::lookup_host((self.store.host.as_str(), self.store.port)).await?;
        let tries: Vec<_> =
            addresses.map(|address| Box::pin(TcpStream::connect(address))).collect();
        if tries.is_empty() {
            return Err(io::Error::other("its name has no address"));
        }
        let (stream, _) = select_ok(tries).await?;
        // A command is a few bytes, and somebody waits for what comes of it.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn greet(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<MultiplexedConnection, String> {
        let config =
            AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(QUEUE);
        let greeting = MultiplexedConnection::new_with_config(&self.login, stream, config);
        let (connection, work) = greeting.await.map_err(|error| error.to_string())?;
        // It ends with the last handle of the connection, and with the runtime of the keeper.
        tokio::spawn(work);
        Ok(connection)
    }
}

fn login(store: &LimitStore) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default()
        .set_db(store.database.into())
        .set_lib_name("headgate", env!("CARGO_PKG_VERSION"));
    if let Some(given) = &store.login {
        login = login.set_password(given.password());
        if let Some(username) = given.username() {
            login = login.set_username(username);
        }
    }
    login
}

fn encryption(host: &str, tls: &StoreTls) -> Result<Tls, String> {
    let pem = tls.authorities.as_deref().unwrap_or_default();
    let authorities = CertificateDer::pem_slice_iter(pem.as_bytes());
    let authorities: Result<Vec<_>, _> =
        authorities.map(|found| found.map(|certificate| certificate.to_vec())).collect();
    let tls = authorities.ok().and_then(|authorities| Tls::verified(host, &authorities));
    tls.ok_or_else(|| "its certificate cannot be verified with what is configured".into())
}
