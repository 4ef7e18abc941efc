//! The web client: one page, embedded in the binary, that talks to the other services by paths of its own host.
//! It knows no service's address; the gateway in front sends each path where it belongs.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::http::Readiness;
use crate::service::Parts;

/// Nothing but what this page brings itself, no inline code, no markup made from strings.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const PAGE: Asset =
    Asset { media_type: "text/html; charset=utf-8", body: include_str!("client/index.html") };
const STYLE: Asset =
    Asset { media_type: "text/css; charset=utf-8", body: include_str!("client/style.css") };
const SCRIPT: Asset =
    Asset { media_type: "text/javascript; charset=utf-8", body: include_str!("client/app.js") };
const ICON: Asset = Asset { media_type: "image/svg+xml", body: include_str!("client/icon.svg") };

#[derive(Clone, Copy)]
struct Asset {
    media_type: &'static str,
    body: &'static str,
}

/// The page and its three files.
pub fn open() -> Parts {
    let routes = Router::new()
        .route("/", get(async || PAGE))
        .route("/index.html", get(async || PAGE))
        .route("/style.css", get(async || STYLE))
        .route("/app.js", get(async || SCRIPT))
        .route("/icon.svg", get(async || ICON));
    Parts { routes, readiness: Readiness::Always }
}

impl IntoResponse for Asset {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        (headers, self.body).into_response()
    }
}
