//! A collector of spans: OTLP over gRPC.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use headgate_config::{Collector as Spec, SpanSettings};
use http::{HeaderMap, Response};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use parking_lot::Mutex;
use prost::Message;
use socket2::{Domain, Socket, Type};

use super::{
    eventually,
    grpc::{Exchange, GrpcServer, read},
};

/// A collector.
pub struct Collector {
    pub address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    server: GrpcServer,
}

/// What it was sent at once.
#[derive(Clone)]
struct Call {
    is_taken: bool,
    request: ExportTraceServiceRequest,
}

/// A place for a collector that is not there yet: connections are refused.
pub struct Reserved(Socket);

impl Reserved {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port");
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound").as_socket().expect("an IP address")
    }

    /// The collector comes.
    pub fn start(self) -> Collector {
        self.0.listen(16).expect("a listener");
        Collector::on(self.0.into(), |_| 0)
    }
}

impl Collector {
    /// One that takes everything.
    pub fn start() -> Self {
        Self::answering(|_| 0)
    }

    /// One that answers the calls, which are counted from 0, with a status of gRPC.
    pub fn answering(status: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        Self::on(listener, status)
    }

    fn on(listener: TcpListener, status: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().expect("bound");
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let (log, status) = (Arc::clone(&calls), Arc::new(status));
        let server = GrpcServer::on(listener, move |_, mut connection| {
            let (log, status) = (Arc::clone(&log), Arc::clone(&status));
            async move {
                while let Some(Ok(exchange)) = connection.accept().await {
                    tokio::spawn(answer(exchange, Arc::clone(&log), Arc::clone(&status)));
                }
            }
        });
        Self { address, calls, server }
    }

    /// How a gateway sends to it: at once.
    pub fn spec(&self) -> Spec {
        spec(self.address)
    }

    /// Calls so far.
    pub fn calls(&self) -> usize {
        self.calls.lock().len()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// How many spans each call had that was taken.
    pub fn batches(&self) -> Vec<usize> {
        let calls = self.calls.lock();
        calls.iter().filter(|call| call.is_taken).map(|call| spans(&call.request).count()).collect()
    }

    /// The spans that it has taken.
    pub fn spans(&self) -> Vec<Span> {
        let calls = self.calls.lock();
        let taken = calls.iter().filter(|call| call.is_taken);
        taken.flat_map(|call| spans(&call.request)).cloned().collect()
    }

    /// The spans, as soon as there are so many.
    pub fn wait(&self, count: usize) -> Vec<Span> {
        eventually("the spans arrive", || self.spans().len() >= count);
        self.spans()
    }

    /// An attribute of what the spans of the first call are of.
    pub fn resource(&self, name: &str) -> Option<String> {
        let calls = self.calls.lock();
        let resource = calls.first()?.request.resource_spans.first()?.resource.as_ref()?;
        value(&resource.attributes, name)
    }
}

/// How a gateway sends to a collector: at once.
pub fn spec(address: SocketAddr) -> Spec {
    Spec {
        host: address.ip().to_string(),
        port: address.port(),
        service: "edge".into(),
        queue: 2048,
        batch: 512,
        delay: Duration::ZERO,
    }
}

/// Settings that send there.
pub fn sending_to(spec: Spec) -> SpanSettings {
    SpanSettings { collector: Some(Arc::new(spec)), ..SpanSettings::default() }
}

/// The value of an attribute, as text.
pub fn value(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|pair| pair.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{name}: {other:?}"),
    }
}

fn spans(request: &ExportTraceServiceRequest) -> impl Iterator<Item = &Span> {
    let scopes = request.resource_spans.iter().flat_map(|of| &of.scope_spans);
    scopes.flat_map(|scope| &scope.spans)
}

async fn answer(
    (request, mut reply): Exchange,
    calls: Arc<Mutex<Vec<Call>>>,
    status: Arc<impl Fn(usize) -> u16>,
) {
    let (head, mut body) = request.into_parts();
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    assert_eq!((head.method.as_str(), head.uri.path()), ("POST", path));
    assert_eq!(head.headers["content-type"], "application/grpc");
    assert_eq!(head.headers["te"], "trailers");
    let Ok(data) = read(&mut body).await else { return };
    let request = ExportTraceServiceRequest::decode(&data[5..]).expect("a message");
    let status = {
        let mut calls = calls.lock();
        let status = status(calls.len());
        calls.push(Call { is_taken: status == 0, request });
        status
    };
    let answer = Response::builder().header("content-type", "application/grpc");
    let mut out = reply.send_response(answer.body(()).expect("an answer"), false).expect("sent");
    out.send_data(Bytes::from_static(&[0; 5]), false).expect("sent");
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.into());
    out.send_trailers(trailers).expect("sent");
}
