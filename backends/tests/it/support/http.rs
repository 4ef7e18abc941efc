//! A client that can tell "nothing was sent" from "nobody knows", one connection per request.

use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// The client. Clones are the same one.
#[derive(Clone)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection, so nothing was sent: it is safe to try again.
    Refused,
    /// The connection broke: the request may or may not have been carried out.
    Broken,
}

type Outcome = Result<(u16, Value), Failure>;

impl Http {
    pub fn new() -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0).retry_canceled_requests(false);
        Self(builder.build_http())
    }

    pub async fn get(&self, url: &str) -> Outcome {
        self.send(Request::get(url).body(Full::default()).unwrap()).await
    }

    pub async fn post(&self, url: &str, body: &Value) -> Outcome {
        self.post_text(url, &body.to_string()).await
    }

    pub async fn post_text(&self, url: &str, body: &str) -> Outcome {
        let request = Request::post(url).header("content-type", "application/json");
        self.send(request.body(Full::from(body.to_owned())).unwrap()).await
    }

    /// The answer's headers and its body as it is.
    pub async fn text(&self, url: &str) -> (HeaderMap, String) {
        let (head, body) = self.0.get(url.parse().unwrap()).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Answers that are no JSON come as a string.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Outcome {
        let failure = |error: hyper_util::client::legacy::Error| {
            if error.is_connect() { Failure::Refused } else { Failure::Broken }
        };
        let response = self.0.request(request).await.map_err(failure)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|_| Failure::Broken)?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}
