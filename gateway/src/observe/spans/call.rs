//! A connection to a collector, and one call over it: `TraceService/Export` of OTLP in gRPC.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use headgate_config::Collector;
use http::{HeaderMap, Request, StatusCode, header};
use tokio::{net::TcpStream, sync::oneshot, task::AbortHandle, time::timeout};

use super::proto::{self, Value};
use crate::upstream::resolve::Resolver;

/// For finding and reaching a collector.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// For a call.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Addresses of a collector that are tried, one after the other.
const MOST_ADDRESSES: usize = 3;
/// Bytes of an answer that are read; it is a few bytes.
const MOST_ANSWER: usize = 64 * 1024;
/// Bytes of the head of an answer.
const MOST_HEAD: u32 = 16 * 1024;
/// Bytes of what a collector says that are logged.
const MOST_TOLD: usize = 200;

/// Why a batch has not arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection is of no use any more; another one may be.
    Connection(String),
    /// It may be taken later.
    Later(String),
    /// It never will.
    Never(String),
}

/// What became of a batch that was taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Spans of it that were not.
    pub rejected: u64,
    /// Why, if the collector says so.
    pub reason: String,
}

/// A connection to a collector. It ends with this value.
pub struct Channel {
    collector: Arc<Collector>,
    sender: SendRequest<Bytes>,
    driver: AbortHandle,
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Channel {
    /// Connects to a collector.
    ///
    /// # Errors
    /// Why it cannot be reached, in words.
    pub async fn open(resolver: &Resolver, collector: &Arc<Collector>) -> Result<Self, String> {
        let opened = timeout(CONNECT_LIMIT, async {
            let addresses = addresses(resolver, collector).await;
            let mut last = "its name has no address".to_owned();
            for address in addresses.into_iter().take(MOST_ADDRESSES) {
                match connect(address).await {
                    Ok((sender, driver)) => {
                        return Ok(Self { collector: Arc::clone(collector), sender, driver });
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        });
        opened.await.unwrap_or_else(|_| Err(format!("no connection within {CONNECT_LIMIT:?}")))
    }

    /// Whether it leads to this collector.
    pub fn leads_to(&self, collector: &Collector) -> bool {
        (&self.collector.host, self.collector.port) == (&collector.host, collector.port)
    }

    /// Sends a message, which has the prefix of gRPC.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn export(&self, message: Bytes) -> Result<Taken, Failure> {
        let call = self.call(message);
        let slow = |_| Err(Failure::Connection(format!("no answer within {CALL_LIMIT:?}")));
        timeout(CALL_LIMIT, call).await.unwrap_or_else(slow)
    }

    async fn call(&self, message: Bytes) -> Result<Taken, Failure> {
        let lost = |error: h2::Error| Failure::Connection(error.to_string());
        let request = self.request().ok_or_else(|| Failure::Never("its name is none".into()))?;
        let mut sender = self.sender.clone().ready().await.map_err(lost)?;
        let (answer, mut stream) = sender.send_request(request, false).map_err(lost)?;
        // What is sent of it when is the library's; it is there as a whole anyway.
        stream.send_data(message, true).map_err(lost)?;
        let (head, mut body) = answer.await.map_err(lost)?.into_parts();
        if head.status != StatusCode::OK {
            return Err(of_http(head.status));
        }
        if let Some(status) = status(&head.headers) {
            return judge(status, &head.headers, &[]);
        }
        let mut told = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(lost)?;
            if told.len() + data.len() > MOST_ANSWER {
                return Err(Failure::Connection("its answer is too long".into()));
            }
            let _ = body.flow_control().release_capacity(data.len());
            told.extend_from_slice(&data);
        }
        let trailers = body.trailers().await.map_err(lost)?.unwrap_or_default();
        match status(&trailers) {
            Some(status) => judge(status, &trailers, &told),
            None => Err(Failure::Never("its answer is not one of gRPC".into())),
        }
    }

    fn request(&self) -> Option<Request<()>> {
        let Collector { host, port, .. } = &*self.collector;
        let place = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        Request::post(format!("http://{place}:{port}{PATH}"))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .header(header::USER_AGENT, concat!("headgate/", env!("CARGO_PKG_VERSION")))
            .header("grpc-timeout", format!("{}S", CALL_LIMIT.as_secs()))
            .body(())
            .ok()
    }
}

async fn connect(address: SocketAddr) -> Result<(SendRequest<Bytes>, AbortHandle), String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    // A batch is sent at once.
    let _ = stream.set_nodelay(true);
    let handshake =
        Builder::new().enable_push(false).max_header_list_size(MOST_HEAD).handshake(stream);
    let (sender, connection) = handshake.await.map_err(|error| error.to_string())?;
    // Calls know what went wrong.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Ok((sender, driver.abort_handle()))
}

/// Where a collector is. Its name may be a short one, as in the same cluster.
async fn addresses(resolver: &Resolver, collector: &Collector) -> Vec<SocketAddr> {
    let Collector { host, port, .. } = collector;
    if let Ok(address) = host.parse() {
        return vec![SocketAddr::new(address, *port)];
    }
    let (found, answer) = oneshot::channel();
    resolver.look_up(host.clone(), move |addresses, _| drop(found.send(addresses)));
    let addresses = answer.await.unwrap_or_default();
    addresses.into_iter().map(|address| SocketAddr::new(address, *port)).collect()
}

fn status(fields: &HeaderMap) -> Option<u32> {
    fields.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// What an answer says about a batch. What may be tried again is said in the specification of OTLP.
fn judge(status: u32, fields: &HeaderMap, told: &[u8]) -> Result<Taken, Failure> {
    if status == 0 {
        return Ok(taken(told));
    }
    let message = fields.get("grpc-message").and_then(|text| text.to_str().ok());
    let mut message = message.unwrap_or_default().to_owned();
    message.truncate(MOST_TOLD);
    let reason = format!("status {status} of gRPC: {message:?}");
    // Cancelled, deadline exceeded, aborted, out of range, unavailable, data loss.
    let is_passing = matches!(status, 1 | 4 | 10 | 11 | 14 | 15);
    // Resource exhausted: only if it says when to come back.
    let is_busy = status == 8 && fields.contains_key("grpc-status-details-bin");
    Err(if is_passing || is_busy { Failure::Later(reason) } else { Failure::Never(reason) })
}

/// What an `ExportTraceServiceResponse` says, behind the prefix of gRPC.
fn taken(told: &[u8]) -> Taken {
    let mut taken = Taken::default();
    // Nobody has asked for a compressed one.
    let Some((0, message)) = told.split_first().map(|(first, _)| (*first, told.get(5..))) else {
        return taken;
    };
    for (field, value) in proto::fields(message.unwrap_or_default()) {
        let (1, Value::Bytes(partial)) = (field, value) else { continue };
        for part in proto::fields(partial) {
            match part {
                (1, Value::Number(count)) => taken.rejected = count,
                (2, Value::Bytes(text)) => {
                    let text = String::from_utf8_lossy(&text[..text.len().min(MOST_TOLD)]);
                    taken.reason = text.into_owned();
                }
                _ => {}
            }
        }
    }
    taken
}

fn of_http(status: StatusCode) -> Failure {
    let reason = format!("status {} of HTTP", status.as_u16());
    match status.as_u16() {
        429 | 502..=504 => Failure::Later(reason),
        _ => Failure::Never(reason),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceResponse,
    };
    use prost::Message;

    use super::*;

    #[test]
    fn what_is_said_to_be_rejected_is_read() {
        let partial =
            ExportTracePartialSuccess { rejected_spans: 300, error_message: "too much".into() };
        let message = ExportTraceServiceResponse { partial_success: Some(partial) };
        let mut told = vec![0, 0, 0, 0, 0];
        message.encode(&mut told).expect("room");
        let expected = Taken { rejected: 300, reason: "too much".into() };
        assert_eq!(judge(0, &HeaderMap::new(), &told), Ok(expected));
        for nothing in [&[][..], &[0], &[0; 5], &[1, 0, 0, 0, 1, 9]] {
            assert_eq!(judge(0, &HeaderMap::new(), nothing), Ok(Taken::default()), "{nothing:?}");
        }
    }

    #[test]
    fn what_passes_is_tried_again_and_nothing_else() {
        let mut fields = HeaderMap::new();
        let is_later = |status, fields: &HeaderMap| match judge(status, fields, &[]) {
            Err(Failure::Later(_)) => true,
            Err(Failure::Never(_)) => false,
            other => panic!("{other:?}"),
        };
        let later: Vec<_> = (1..=16).filter(|status| is_later(*status, &fields)).collect();
        assert_eq!(later, [1, 4, 10, 11, 14, 15]);
        fields.insert("grpc-status-details-bin", HeaderValue::from_static("AA"));
        assert!(is_later(8, &fields));
        assert!(matches!(of_http(StatusCode::BAD_GATEWAY), Failure::Later(_)));
        assert!(matches!(of_http(StatusCode::NOT_FOUND), Failure::Never(_)));
    }
}
