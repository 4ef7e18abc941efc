//! Compression of answers (configmap-and-flags §9): which are, in which coding. No I/O.

mod accept;
mod encoder;

use headgate_config::{Coding, Compression};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use smallvec::SmallVec;

pub use self::encoder::{Encoder, Want};
use self::{accept::Accepted, encoder::Codec};
use crate::route::pattern::{self, Pattern, anywhere::AnyOf};

/// The codings that are offered, compiled.
pub struct Compressor {
    /// In the order of their preference.
    codings: SmallVec<[Offer; 3]>,
    /// Clients that get no gzip.
    no_gzip: Option<AnyOf>,
}

/// A coding that is offered.
struct Offer {
    codec: Codec,
    level: u8,
    min_length: u64,
    types: Box<[Box<str>]>,
    any_type: bool,
}

/// An answer, and the request that it is for.
pub struct Candidate<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// Its version of HTTP.
    pub version: Version,
    /// Its headers.
    pub request: &'a HeaderMap,
    /// Status of the answer.
    pub status: StatusCode,
    /// Length of its body where it is known without `Content-Length`.
    pub length: Option<u64>,
}

impl Compressor {
    /// Compiles a configuration; nothing if nothing is offered.
    pub fn new(spec: &Compression) -> Option<Box<Self>> {
        let offers =
            [(Codec::Brotli, &spec.brotli), (Codec::Zstd, &spec.zstd), (Codec::Gzip, &spec.gzip)];
        let offers = offers.into_iter().filter(|(_, coding)| coding.enabled);
        let codings: SmallVec<_> =
            offers.map(|(codec, coding)| Offer::new(codec, coding)).collect();
        (!codings.is_empty())
            .then(|| Box::new(Self { codings, no_gzip: no_gzip(&spec.gzip_disable) }))
    }

    /// Chooses how an answer is compressed, if it is, and says so in its headers.
    pub fn choose(&self, answer: &Candidate<'_>, headers: &mut HeaderMap) -> Option<Encoder> {
        let length = match headers.get(header::CONTENT_LENGTH) {
            Some(length) => length.to_str().ok()?.parse().ok(),
            None => answer.length,
        };
        if !is_compressible(answer, headers) {
            return None;
        }
        let media_type = media_type(headers)?;
        let offers = self.codings.iter().filter(|offer| offer.takes(media_type, length));
        let offers: SmallVec<[&Offer; 3]> = offers.collect();
        if offers.is_empty() {
            return None;
        }
        vary(headers);
        if answer.version < Version::HTTP_11 {
            return None;
        }
        let accepted = Accepted::of(answer.request);
        let mut best: Option<(u16, &Offer)> = None;
        for offer in offers.into_iter().filter(|offer| self.may_have(offer.codec, answer.request)) {
            let quality = accepted.quality(offer.codec.name());
            if quality > best.map_or(0, |(quality, _)| quality) {
                best = Some((quality, offer));
            }
        }
        let (_, Offer { codec, level, .. }) = best?;
        let encoder = Encoder::new(*codec, *level, length)?;
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ACCEPT_RANGES);
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(codec.name()));
        weaken(headers);
        Some(encoder)
    }

    /// Whether the client may have a coding, whatever it says that it takes.
    fn may_have(&self, codec: Codec, request: &HeaderMap) -> bool {
        let Some(no_gzip) = self.no_gzip.as_ref().filter(|_| codec == Codec::Gzip) else {
            return true;
        };
        let agent = request.get(header::USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
        no_gzip.matches(agent) == Ok(false)
    }
}

impl Offer {
    fn new(codec: Codec, coding: &Coding) -> Self {
        let any_type = coding.types.iter().any(|name| name == "*");
        let types = coding.types.iter().map(|name| name.as_str().into()).collect();
        Self { codec, level: coding.level, min_length: coding.min_length, types, any_type }
    }

    fn takes(&self, media_type: &[u8], length: Option<u64>) -> bool {
        let is_type = |name: &[u8]| media_type.eq_ignore_ascii_case(name);
        length.is_none_or(|length| length >= self.min_length)
            && (self.any_type
                || is_type(b"text/html")
                || self.types.iter().any(|name| is_type(name.as_bytes())))
    }
}

/// Clients that get no gzip. `msie6` is a name that the reference knows. A pattern that cannot be used keeps nobody from it.
fn no_gzip(text: &str) -> Option<AnyOf> {
    let text = match text {
        "" => return None,
        "msie6" => r"MSIE [4-6]\.",
        text => text,
    };
    let pattern = Pattern::parse(text).and_then(|pattern| AnyOf::new(&[pattern]));
    let unusable = |error: &pattern::Error| {
        tracing::warn!(%error, "gzip-disable is no usable regular expression and has no effect");
    };
    pattern.inspect_err(unusable).ok()
}

/// Whether an answer may be compressed at all.
fn is_compressible(answer: &Candidate<'_>, headers: &HeaderMap) -> bool {
    let is_status = matches!(answer.status.as_u16(), 200 | 403 | 404);
    // Whoever says so forbids it (RFC 9110 §7.7), which the reference does not heed.
    let no_transform = || {
        let lines = headers.get_all(header::CACHE_CONTROL).iter();
        let mut directives = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        directives.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
    };
    is_status
        && answer.method != Method::HEAD
        && answer.length != Some(0)
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !no_transform()
}

/// The type of the answer without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::CONTENT_TYPE)?.as_bytes();
    value.split(|byte| *byte == b';').next().map(<[u8]>::trim_ascii)
}

/// Says that the answer depends on what the client takes.
fn vary(headers: &mut HeaderMap) {
    let lines = headers.get_all(header::VARY).iter();
    let mut names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let is_said = names.any(|name| {
        let name = name.trim_ascii();
        name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding")
    });
    if !is_said {
        let _ = headers.try_append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Makes a strong `ETag` weak: the bytes are others. One that is none at all goes.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(header::ETAG) else { return };
    let weak = match tag.as_bytes() {
        [b'W', b'/', ..] => return,
        strong @ [b'"', ..] => HeaderValue::from_bytes(&[b"W/", strong].concat()).ok(),
        _ => None,
    };
    match weak {
        Some(weak) => drop(headers.insert(header::ETAG, weak)),
        None => drop(headers.remove(header::ETAG)),
    }
}

#[cfg(test)]
mod tests;
