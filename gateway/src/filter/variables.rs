//! Values of `$variables` in configured texts (annotations, appendix A).

use headgate_config::Origin;
use http::{HeaderMap, Method};

/// What variables are taken from.
pub struct Variables<'a> {
    /// Method of the request.
    pub method: &'a Method,
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// Routing host.
    pub host: &'a [u8],
    /// `Host` header as it counts.
    pub best_host: &'a [u8],
    /// Scheme of the connection.
    pub scheme: &'a [u8],
    /// The client's address.
    pub client_ip: &'a [u8],
    /// Raw target.
    pub target: &'a [u8],
    /// Normalised path.
    pub path: &'a [u8],
    /// Query.
    pub query: &'a [u8],
    /// Request id.
    pub request_id: &'a [u8],
    /// What the location was made from.
    pub origin: &'a Origin,
}

impl<'a> Variables<'a> {
    /// The value of a variable; `None` if there is no such variable.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        Some(match name {
            "host" | "http_host_name" => self.host,
            "best_http_host" | "http_host" => self.best_host,
            "scheme" | "pass_access_scheme" => self.scheme,
            "remote_addr" | "the_real_ip" => self.client_ip,
            "request_uri" => self.target,
            "uri" | "document_uri" => self.path,
            "args" | "query_string" => self.query,
            "is_args" if self.query.is_empty() => b"",
            "is_args" => b"?",
            "request_method" => self.method.as_str().as_bytes(),
            "req_id" | "request_id" => self.request_id,
            "namespace" => {
                self.origin.object.as_ref().map_or("", |object| &object.namespace).as_bytes()
            }
            "ingress_name" => {
                self.origin.object.as_ref().map_or("", |object| &object.name).as_bytes()
            }
            "service_name" => self.origin.service.as_bytes(),
            "service_port" => self.origin.port.as_bytes(),
            "location_path" => self.origin.path.as_bytes(),
            _ => {
                let header = name.strip_prefix("http_")?.replace('_', "-");
                self.headers.get(header).map_or(&b""[..], |value| value.as_bytes())
            }
        })
    }

    /// A text with its variables replaced. Unknown ones are empty.
    pub fn expand(&self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 32);
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            rest = &rest[at + 1..];
            let braced = rest.strip_prefix('{');
            let body = braced.unwrap_or(rest);
            let length =
                body.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            out.extend_from_slice(self.value(&body[..length]).unwrap_or_default());
            rest = &body[length..];
            if braced.is_some() {
                rest = rest.strip_prefix('}').unwrap_or(rest);
            }
        }
        out.extend_from_slice(rest.as_bytes());
        out
    }
}
