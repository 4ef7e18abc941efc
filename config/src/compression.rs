//! Which answers are compressed, and how (configmap-and-flags §9).

use serde::Serialize;

/// The codings that clients are offered. Of several that a client takes equally, the first of this order is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compression {
    /// `br` (`enable-brotli`, `brotli-*`).
    pub brotli: Coding,
    /// `zstd` (`enable-zstd`, `zstd-*`).
    pub zstd: Coding,
    /// `gzip` (`use-gzip`, `gzip-*`).
    pub gzip: Coding,
    /// PCRE without regard to case: clients whose `User-Agent` it is found in get no gzip (`gzip-disable`). Empty is
    /// none.
    pub gzip_disable: String,
}

/// When and how one coding is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coding {
    /// Whether it is offered at all.
    pub enabled: bool,
    /// How hard it tries, in the numbers of its own format.
    pub level: u8,
    /// Answers with a `Content-Length` below this number of bytes stay as they are.
    pub min_length: u64,
    /// Media types besides `text/html`, in lower case and without parameters; `*` is any.
    pub types: Vec<String>,
}

/// The types that are compressed unless others are named.
const TYPES: [&str; 17] = [
    "application/atom+xml",
    "application/javascript",
    "application/x-javascript",
    "application/json",
    "application/rss+xml",
    "application/vnd.ms-fontobject",
    "application/x-font-ttf",
    "application/x-web-app-manifest+json",
    "application/xhtml+xml",
    "application/xml",
    "font/opentype",
    "image/svg+xml",
    "image/x-icon",
    "text/css",
    "text/javascript",
    "text/plain",
    "text/x-component",
];
/// One that brotli adds to them.
const TYPE_OF_BROTLI: &str = "application/xml+rss";

impl Default for Compression {
    /// Nothing is compressed.
    fn default() -> Self {
        let types = TYPES.map(str::to_owned).to_vec();
        let coding = |level, min_length, types: &Vec<String>| Coding {
            enabled: false,
            level,
            min_length,
            types: types.clone(),
        };
        let mut brotli_types = types.clone();
        brotli_types.push(TYPE_OF_BROTLI.to_owned());
        Self {
            brotli: coding(4, 20, &brotli_types),
            zstd: coding(3, 256, &types),
            gzip: coding(1, 256, &types),
            gzip_disable: String::new(),
        }
    }
}

impl Compression {
    /// Whether any coding is offered.
    pub fn is_on(&self) -> bool {
        self.brotli.enabled || self.zstd.enabled || self.gzip.enabled
    }
}
