//! Requests from one service to another: plain HTTP/1.1 with kept connections and a deadline. Retries are the callers' affair.

use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::trace::{REQUEST_ID, TRACEPARENT, TraceContext};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(10);
/// A page of the bus's log is at most 4 MiB of events or one event, plus framing.
const MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// A client with its connections. Clones share them.
#[derive(Clone)]
pub struct Outgoing {
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A complete answer with a status of success.
pub struct Answer {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no [`Answer`]. Whether the other side acted on the request is unknown, except for `Status`.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The URL or a header value cannot be sent.
    #[error("the request cannot be built: {0}")]
    Request(#[from] axum::http::Error),
    /// No connection, or it broke.
    #[error("no answer: {0}")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// The body broke off or is too long.
    #[error("the answer is incomplete: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Deadline,
    /// An answer, but not of success.
    #[error("answered with status {0}")]
    Status(StatusCode),
}

impl Outgoing {
    /// A client without connections.
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(Duration::from_secs(30)).pool_timer(TokioTimer::new());
        Self { client: builder.build(connector) }
    }

    /// Posts JSON as the hop `context`, with `headers` on top.
    ///
    /// # Errors
    /// There is no answer with a status of success.
    pub async fn post(
        &self,
        url: &str,
        body: Bytes,
        context: &TraceContext,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, SendError> {
        let mut request =
            request(Method::POST, url, context).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::new(body))?).await
    }

    /// Fetches `url` as the hop `context`.
    ///
    /// # Errors
    /// There is no answer with a status of success.
    pub async fn get(&self, url: &str, context: &TraceContext) -> Result<Answer, SendError> {
        self.send(request(Method::GET, url, context).body(Full::default())?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, SendError> {
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            let body = Limited::new(body, MAX_RESPONSE)
                .collect()
                .await
                .map_err(SendError::Body)?
                .to_bytes();
            if !head.status.is_success() {
                return Err(SendError::Status(head.status));
            }
            Ok(Answer { headers: head.headers, body })
        };
        tokio::time::timeout(DEADLINE, exchange).await.unwrap_or(Err(SendError::Deadline))
    }
}

fn request(method: Method, url: &str, context: &TraceContext) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(url)
        .header(REQUEST_ID, &context.request_id)
        .header(TRACEPARENT, context.traceparent())
}
