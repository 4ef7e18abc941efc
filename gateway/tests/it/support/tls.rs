//! A certificate for `a.test`, and clients that trust it.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use headgate_config::{Certificate, CertificateId, PrivateKey, TlsTable, certificate::KeyFormat};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
    crypto::aws_lc_rs,
    version::{TLS12, TLS13},
};
use rustls_pki_types::PrivateKeyDer;

use super::{Client, Upstream, upstream::Reply};

/// A certificate with its key.
pub struct Identity {
    certificate: Arc<Certificate>,
    key: Vec<u8>,
}

impl Identity {
    /// A new one.
    pub fn new() -> Self {
        let names = vec!["a.test".to_owned()];
        let made = rcgen::generate_simple_self_signed(names.clone()).expect("a certificate");
        let bytes = made.signing_key.serialize_der();
        let key = PrivateKey::new(bytes.clone(), KeyFormat::Pkcs8);
        let id = CertificateId("default/a".to_owned());
        let chain = vec![made.cert.der().to_vec()];
        Self { certificate: Arc::new(Certificate { id, chain, key, names }), key: bytes }
    }

    /// A table in which it is the default.
    pub fn table(&self) -> Arc<TlsTable> {
        let id = self.certificate.id.clone();
        Arc::new(TlsTable {
            names: BTreeMap::new(),
            default: Some(id.clone()),
            certificates: BTreeMap::from([(id, Arc::clone(&self.certificate))]),
        })
    }

    /// A table in which it is that of a host.
    pub fn table_for(&self, host: &str) -> Arc<TlsTable> {
        let id = self.certificate.id.clone();
        Arc::new(TlsTable {
            names: BTreeMap::from([(host.to_owned(), Some(id))]),
            ..TlsTable::clone(&self.table())
        })
    }

    /// A client that speaks `protocol`. The handshake comes with the first bytes.
    pub fn connect(&self, address: SocketAddr, protocol: &str) -> Client {
        self.speak(Client::connect(address), protocol)
    }

    /// The same over a connection that exists.
    pub fn speak(&self, client: Client, protocol: &str) -> Client {
        client.encrypted(self.tls(protocol, &[&TLS13, &TLS12]))
    }

    /// The same with TLS 1.2.
    pub fn speak_old(&self, client: Client, protocol: &str) -> Client {
        client.encrypted(self.tls(protocol, &[&TLS12]))
    }

    /// What a client begins with.
    pub fn first_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.tls("http/1.1", &[&TLS13, &TLS12]).write_tls(&mut bytes).expect("memory");
        bytes
    }

    fn tls(
        &self,
        protocol: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.chain[0].clone().into()).expect("a certificate");
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(versions)
                .expect("versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let name = "a.test".try_into().expect("a name");
        ClientConnection::new(Arc::new(config), name).expect("a client")
    }

    /// An upstream that presents it, and answers each head as `script` says; that gets the name that was asked for.
    pub fn upstream(
        &self,
        script: impl Fn(Option<&str>) -> Reply + Send + Sync + 'static,
    ) -> Upstream {
        let config = self.server();
        Upstream::raw(move |client| {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a server");
            let mut stream = StreamOwned::new(connection, client.stream);
            let (mut head, mut byte) = (Vec::new(), [0]);
            while stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
                if !head.ends_with(b"\r\n\r\n") {
                    continue;
                }
                head.clear();
                match script(stream.conn.server_name()) {
                    Reply::Bytes(bytes) => stream.write_all(&bytes).expect("sent"),
                    Reply::Last(bytes) => {
                        stream.write_all(&bytes).expect("sent");
                        stream.conn.send_close_notify();
                        let _ = stream.flush();
                        return;
                    }
                }
            }
        })
    }

    /// Servers that present it.
    pub fn server(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(self.key.clone().into());
        let chain = vec![self.certificate.chain[0].clone().into()];
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate with its key");
        Arc::new(config)
    }
}
