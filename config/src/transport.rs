//! How upstreams are spoken to, where it is not HTTP/1 in clear (annotations §3.14).

use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, Serializer};

use crate::UpstreamTls;

/// How the upstream of a location is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Transport {
    /// HTTP/1 over TLS (`HTTPS`).
    Https(Arc<UpstreamTls>),
    /// The same if the client came over TLS, otherwise in clear (`AUTO_HTTP`).
    AsListener(Arc<UpstreamTls>),
    /// HTTP/2, in clear or over TLS (`GRPC`, `GRPCS`).
    Grpc(Option<Arc<UpstreamTls>>),
    /// FastCGI (`FCGI`).
    FastCgi(Arc<FastCgi>),
}

/// What is said to FastCGI applications.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FastCgi {
    /// The file that a path ending in a slash stands for (`fastcgi-index`).
    pub index: Option<String>,
    /// Parameters beside the standard ones, or instead of them; values may contain `$variables`
    /// (`fastcgi-params-configmap`). They may be credentials, and are not shown.
    #[serde(serialize_with = "names")]
    pub parameters: BTreeMap<String, String>,
}

fn names<S: Serializer>(
    parameters: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(parameters.keys().map(|name| (name, "hidden")))
}
