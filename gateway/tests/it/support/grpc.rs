//! Servers and clients of HTTP/2 by messages.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use h2::{
    RecvStream,
    client::SendRequest,
    server::{Connection, SendResponse},
};
use http::{HeaderMap, Request};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

/// A server; each connection is served by a closure.
pub struct GrpcServer {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _runtime: Runtime,
}

/// Requests that a server is sent, one connection's.
pub type Incoming = Connection<TcpStream, Bytes>;
/// A request, and where its answer goes.
pub type Exchange = (Request<RecvStream>, SendResponse<Bytes>);

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}

impl GrpcServer {
    /// Hands every connection to `serve`; it gets the number of the connection (from 0).
    pub fn raw<F: Future<Output = ()> + Send>(
        serve: impl Fn(usize, Incoming) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        Self::on(listener, serve)
    }

    /// The same for a listener that there is.
    pub fn on<F: Future<Output = ()> + Send>(
        listener: std::net::TcpListener,
        serve: impl Fn(usize, Incoming) -> F + Send + Sync + 'static,
    ) -> Self {
        let runtime = runtime();
        listener.set_nonblocking(true).expect("a socket");
        let listener = runtime.block_on(async { TcpListener::from_std(listener) });
        let listener = listener.expect("a listener");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, serve) = (Arc::clone(&connections), Arc::new(serve));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::Relaxed);
                let serve = Arc::clone(&serve);
                tokio::spawn(async move {
                    if let Ok(connection) = h2::server::handshake(stream).await {
                        serve(number, connection).await;
                    }
                });
            }
        });
        Self { address, connections, _runtime: runtime }
    }

    /// Hands every request to `serve`.
    pub fn calls<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(Exchange) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::raw(move |_, mut connection| {
            let serve = serve.clone();
            async move {
                while let Some(Ok(exchange)) = connection.accept().await {
                    tokio::spawn(serve(exchange));
                }
            }
        })
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A client of the gateway.
pub struct GrpcClient {
    pub sender: SendRequest<Bytes>,
    runtime: Runtime,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl GrpcClient {
    /// Connects with prior knowledge.
    pub fn connect(address: SocketAddr) -> Self {
        let runtime = runtime();
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
            tokio::spawn(connection);
            sender
        });
        Self { sender, runtime }
    }

    /// Runs what talks.
    pub fn run<T>(&self, talk: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            let limit = std::time::Duration::from_secs(20);
            tokio::time::timeout(limit, talk).await.expect("it does not end")
        })
    }

    /// Sends a message and reads the answer.
    pub fn call(&self, message: &'static [u8]) -> Result<Told, h2::Error> {
        self.run(async {
            let mut sender = self.sender.clone().ready().await?;
            let (answer, mut out) = sender.send_request(request(), false)?;
            out.send_data(Bytes::from_static(message), true)?;
            whole(answer.await?).await
        })
    }
}

/// A call of `a.test`.
pub fn request() -> Request<()> {
    Request::post("http://a.test/greeter/hello?x=1")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a request")
}

/// Reads an answer to its end.
pub async fn whole(answer: http::Response<RecvStream>) -> Result<Told, h2::Error> {
    let (head, mut body) = answer.into_parts();
    let data = read(&mut body).await?;
    let trailers = body.trailers().await?;
    Ok(Told { status: head.status.as_u16(), headers: head.headers, body: data, trailers })
}

/// Reads a body to its end.
pub async fn read(body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut data = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        data.extend_from_slice(&piece);
    }
    Ok(data)
}
