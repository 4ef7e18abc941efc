//! Headers that the configuration adds, removes or rewrites (annotations §3.15, §3.18; configmap-and-flags §6, §7).

use serde::{Serialize, Serializer};

use crate::ObjectRef;

/// Headers of all requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GlobalHeaders {
    /// Headers that every upstream is sent (`proxy-set-headers`). Their values may be credentials, and are not shown.
    #[serde(serialize_with = "names")]
    pub request: Vec<HeaderLine>,
    /// Headers that every answer carries (`add-headers`).
    pub answer: Vec<HeaderLine>,
    /// Names, in lower case, of headers of upstreams that clients are not sent (`hide-headers`).
    pub hidden: Vec<String>,
    /// Name the server in answers and in error pages (`server-tokens`).
    pub server_tokens: bool,
    /// Pass on what an upstream says in `Server`. Only with `server_tokens` (`allow-backend-server-header`).
    pub upstream_server: bool,
    /// Pass on lines of requests whose names are no names of headers (`ignore-invalid-headers: "false"`).
    pub keep_invalid: bool,
    /// The object that names the ConfigMaps of `request` and `answer`, for findings about them.
    pub origin: Option<ObjectRef>,
}

fn names<S: Serializer>(headers: &[HeaderLine], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|header| (&header.name, "hidden")))
}

/// A header that is set. It takes the place of those that the other side sends under its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeaderLine {
    /// Its name, as it is written.
    pub name: String,
    /// Its value; `$name` and `${name}` are variables of the request (annotations, appendix A). Empty: there is no such
    /// header.
    pub value: String,
}

/// What happens to headers of the answers of a location.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AnswerHeaders {
    /// `Domain` of upstreams' cookies (`proxy-cookie-domain`).
    pub cookie_domain: Option<Replacement>,
    /// The beginning of `Path` of upstreams' cookies (`proxy-cookie-path`).
    pub cookie_path: Option<Replacement>,
    /// The beginning of upstreams' `Location` and `Refresh` (`proxy-redirect-from`, `proxy-redirect-to`).
    pub redirect: Option<Replacement>,
    /// Name and value of headers that every answer of the location carries, whoever makes it; without variables
    /// (`custom-headers`).
    pub custom: Vec<(String, String)>,
}

impl AnswerHeaders {
    /// Whether answers stay as they are.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A text for another. What begins with `~` is a PCRE, with `~*` one without regard to case: what it is found in is replaced as a
/// whole, and `$1` … `$9` are its captures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replacement {
    /// What is replaced.
    pub from: String,
    /// What takes its place. `$name` is a variable of the request.
    pub to: String,
}

/// How large the head of a request may be (`large-client-header-buffers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HeadLimits {
    /// Bytes of the request line, and of each header line.
    pub line: u32,
    /// Bytes of the whole head.
    pub total: u32,
}

impl Default for HeadLimits {
    /// 4 × 8k.
    fn default() -> Self {
        Self { line: 8 * 1024, total: 4 * 8 * 1024 }
    }
}

/// `Connection` of requests to upstreams, whatever the client asks for (`connection-proxy-header`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionHeader {
    /// `close`.
    Close,
    /// `keep-alive`.
    KeepAlive,
}

impl ConnectionHeader {
    /// The value of the header.
    pub fn text(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::KeepAlive => "keep-alive",
        }
    }
}
