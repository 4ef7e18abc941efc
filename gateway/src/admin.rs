//! The HTTP server of the healthz port: health, readiness, metrics and the live table (operations §2.1). It runs on
//! the runtime of the control plane, never on a worker, and a client that is slow or holds many connections keeps
//! nobody else from being answered.

use std::{convert::Infallible, sync::Arc, time::Duration};

use headgate_config::Snapshot;
use http::{Method, Request, Response, StatusCode, header};
use serde::Serialize;

mod answer;
mod index;
mod readiness;
mod routes;
mod server;

#[cfg(test)]
mod tests;

pub use readiness::Readiness;
pub use server::serve;

use crate::observe::metrics::Metrics;
use answer::{Body, JSON, json, plain};
use routes::{Dump, Query};

/// What the admin server tells about.
pub struct AdminState {
    /// All metrics of the process.
    pub metrics: Arc<Metrics>,
    /// Whether traffic may be sent here.
    pub readiness: Arc<Readiness>,
    /// What the live table was compiled from; none before the first one is live.
    pub snapshot: Box<dyn Fn() -> Option<Arc<Snapshot>> + Send + Sync>,
    /// Where liveness is asked for (`--health-check-path`).
    pub health_path: String,
}

/// How long connections may take for what.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// For the head of a request, and for the pause before it.
    head: Duration,
    /// For a connection as a whole.
    connection: Duration,
    /// Connections at a time. One more ends the oldest.
    connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            connection: Duration::from_secs(300),
            connections: 64,
        }
    }
}

/// What `/version` answers.
#[derive(Serialize)]
struct Version<'a> {
    name: &'static str,
    version: &'a str,
    commit: &'a str,
}

/// What an error answers.
#[derive(Serialize)]
struct Error<'a> {
    error: &'a str,
}

impl AdminState {
    fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        let mut answer = match *request.method() {
            Method::GET | Method::HEAD => {
                self.resource(request.uri().path(), request.uri().query())
            }
            _ => {
                let error = Error { error: "only GET and HEAD are understood here" };
                let mut answer = json(StatusCode::METHOD_NOT_ALLOWED, &error);
                let allowed = header::HeaderValue::from_static("GET, HEAD");
                answer.headers_mut().insert(header::ALLOW, allowed);
                answer
            }
        };
        let never = header::HeaderValue::from_static("no-store");
        answer.headers_mut().insert(header::CACHE_CONTROL, never);
        answer
    }

    fn resource(&self, path: &str, query: Option<&str>) -> Response<Body> {
        match path {
            _ if path == self.health_path => self.health(),
            "/readyz" => match self.readiness.check() {
                Ok(None) => plain(StatusCode::OK, "ok"),
                Ok(Some(complaint)) => plain(StatusCode::OK, format!("ok, but {complaint}\n")),
                Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
            },
            "/livez" => self.live(),
            "/metrics" => {
                Body::chunks("text/plain; version=0.0.4; charset=utf-8", self.metrics.scrape())
            }
            "/api/routes" => self.routes(query),
            _ if index::PATHS.contains(&path) => {
                json(StatusCode::OK, &index::index(&self.health_path))
            }
            "/version" => {
                let instance = &self.metrics.settings().instance;
                let version = Version {
                    name: "headgate",
                    version: &instance.release,
                    commit: &instance.build,
                };
                json(StatusCode::OK, &version)
            }
            _ => json(StatusCode::NOT_FOUND, &Error { error: "not found; / lists what there is" }),
        }
    }

    /// The reference has one check for liveness and readiness, which fails before the first table is live and while
    /// it shuts down; the probes of its users rely on both (operations §2.1, §8). A process that is merely not ready
    /// is told apart by `/livez`.
    fn health(&self) -> Response<Body> {
        match self.readiness.check() {
            Ok(_) => self.live(),
            Err(reason) => plain(StatusCode::INTERNAL_SERVER_ERROR, reason + "\n"),
        }
    }

    fn live(&self) -> Response<Body> {
        match self.readiness.broken() {
            None => plain(StatusCode::OK, "ok"),
            Some(reason) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{reason}\n")),
        }
    }

    fn routes(&self, query: Option<&str>) -> Response<Body> {
        let query = match Query::parse(query) {
            Ok(query) => query,
            Err(error) => return json(StatusCode::BAD_REQUEST, &Error { error: &error }),
        };
        match (self.snapshot)() {
            Some(snapshot) => Body::chunks(JSON, Dump::new(snapshot, query)),
            None => json(StatusCode::SERVICE_UNAVAILABLE, &Error { error: "no table is live yet" }),
        }
    }

    /// [`Self::answer`] in the form in which hyper calls it.
    async fn respond<B>(
        self: Arc<Self>,
        request: Request<B>,
    ) -> Result<Response<Body>, Infallible> {
        Ok(self.answer(&request))
    }
}
