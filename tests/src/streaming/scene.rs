//! What is carried where: hosts with their settings, the servers behind them, and the list of transfers.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex},
};

use anyhow::Result;

use super::{
    origin::{Expected, Origin},
    payload::Payload,
};
use crate::manifests::{self, Folder, Ingress};

const NAMESPACE: &str = "streaming";
/// As it is without an annotation, but for the limit: requests are read ahead, answers are passed on as they come.
const USUAL: &str = "usual.example";
/// Requests are passed on as they come.
const DIRECT: &str = "direct.example";
/// Answers are passed on in pieces.
const PIECES: &str = "pieces.example";
/// Its server speaks HTTP/2.
pub const GRPC: &str = "grpc.example";

/// Host, its service, its annotations beside the body limit.
type Host = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const HOSTS: [Host; 4] = [
    (USUAL, "plain", &[]),
    (DIRECT, "plain", &[("proxy-request-buffering", "off")]),
    (PIECES, "plain", &[("proxy-buffering", "on")]),
    (GRPC, "calls", &[("backend-protocol", "GRPC")]),
];

/// What the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// HTTP/1.
    Http1,
    /// The same over TLS.
    Https1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// One body on its way through the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Transfer {
    /// What its client speaks.
    pub client: Client,
    /// Whether the client sends it.
    pub up: bool,
    /// Whether its end is found by its last chunk, where HTTP/1 is spoken.
    pub chunked: bool,
    /// Which settings it meets.
    pub host: &'static str,
}

const fn up(client: Client, chunked: bool, host: &'static str) -> Transfer {
    Transfer { client, up: true, chunked, host }
}

const fn down(client: Client, chunked: bool, host: &'static str) -> Transfer {
    Transfer { client, up: false, chunked, host }
}

/// All that is measured.
pub const TRANSFERS: [Transfer; 17] = [
    up(Client::Http1, false, USUAL),
    up(Client::Http1, true, USUAL),
    up(Client::Http2, true, USUAL),
    up(Client::Http1, false, DIRECT),
    up(Client::Http1, true, DIRECT),
    up(Client::Http2, true, DIRECT),
    up(Client::Https1, true, DIRECT),
    up(Client::Http1, true, GRPC),
    up(Client::Http2, true, GRPC),
    down(Client::Http1, false, USUAL),
    down(Client::Http1, true, USUAL),
    down(Client::Https1, true, USUAL),
    down(Client::Http2, true, USUAL),
    down(Client::Http1, true, PIECES),
    down(Client::Http2, true, PIECES),
    down(Client::Http1, true, GRPC),
    down(Client::Http2, true, GRPC),
];

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, server) = match (self.client, self.host) {
            (Client::Http1, GRPC) => ("HTTP/1", "HTTP/2"),
            (Client::Https1, GRPC) => ("HTTPS/1", "HTTP/2"),
            (Client::Http2, GRPC) => ("HTTP/2", "HTTP/2"),
            (Client::Http1, _) => ("HTTP/1", "HTTP/1"),
            (Client::Https1, _) => ("HTTPS/1", "HTTP/1"),
            (Client::Http2, _) => ("HTTP/2", "HTTP/1"),
        };
        let (way, arrow) = if self.up { ("upload", "->") } else { ("download", "<-") };
        let framing = if self.chunked { "without length" } else { "with length" };
        let settings = match self.host {
            DIRECT => ", request-buffering off",
            PIECES => ", buffering on",
            _ => "",
        };
        write!(f, "{way} {from} {arrow} {server} {framing}{settings}")
    }
}

/// The servers and the manifests.
pub struct Scene {
    folder: Folder,
    expected: Expected,
    _origins: [Origin; 2],
}

impl Scene {
    /// Makes it below `parent`.
    pub async fn new(parent: &Path) -> Result<Self> {
        let folder = Folder::new(parent)?;
        let expected: Expected = Arc::new(Mutex::new(Arc::new(Payload::new(0))));
        let plain = Origin::start(false, &expected).await?;
        let calls = Origin::start(true, &expected).await?;
        folder.write("class", &manifests::ingress_class())?;
        for (name, origin) in [("plain", &plain), ("calls", &calls)] {
            let port = origin.address.port();
            let slice = manifests::endpoint_slice(NAMESPACE, name, port, ["127.0.0.1"]);
            let objects = [manifests::service(NAMESPACE, name), slice];
            folder.write(name, &manifests::documents(&objects))?;
        }
        for (host, service, annotations) in HOSTS {
            let name = host.replace('.', "-");
            let ingress = Ingress::new(NAMESPACE, &name)
                .annotation("proxy-body-size", "0")
                .prefix(host, "/", service);
            let annotate =
                |ingress: Ingress, (name, value): &(&str, &str)| ingress.annotation(name, value);
            let ingress = annotations.iter().fold(ingress, annotate);
            folder.write(&name, &ingress.text())?;
        }
        Ok(Self { folder, expected, _origins: [plain, calls] })
    }

    /// What the gateway is pointed at.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Tells the servers what comes next.
    pub fn expect(&self, payload: &Arc<Payload>) {
        if let Ok(mut expected) = self.expected.lock() {
            *expected = Arc::clone(payload);
        }
    }
}
