//! What there is on the healthz port, for whoever asks without knowing.

use serde::Serialize;

use super::routes::PARAMETERS;

/// Where this list is.
pub(super) const PATHS: [&str; 2] = ["/", "/api"];

/// What `/` and `/api` answer.
#[derive(Serialize)]
pub(super) struct Index<'a> {
    endpoints: Vec<Endpoint<'a>>,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    path: &'a str,
    shows: String,
}

/// All endpoints, where liveness is asked for at `health_path`.
pub(super) fn index(health_path: &str) -> Index<'_> {
    let all = [
        (
            health_path,
            "200 as long as this process serves and nothing in it has died, for probes".into(),
        ),
        ("/livez", "the same, also before it serves and while it stops".into()),
        (
            "/readyz",
            "200 as soon as everything is read and served, and what is not as it should be".into(),
        ),
        ("/metrics", "metrics for Prometheus; those of requests only with --enable-metrics".into()),
        (
            "/api/routes",
            format!("verdicts about objects and the live table; parameters: {PARAMETERS}"),
        ),
        ("/version", "name, version and commit".into()),
    ];
    let endpoints = all.map(|(path, shows)| Endpoint { path, shows });
    Index { endpoints: endpoints.into() }
}
