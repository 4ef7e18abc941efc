//! The label `method`.

use http::Method;

/// Methods that have a label of their own. Clients choose the method: whatever is not listed shares the last one.
const LABELS: [&str; 17] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "MKCOL",
    "COPY",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "OTHER",
];

/// Index into [`LABELS`]. The standard ones are compared by value, without a look at text.
#[inline]
pub(super) fn index(method: &Method) -> u8 {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        Method::OPTIONS => 5,
        Method::PATCH => 6,
        ref other => {
            let last = LABELS.len() - 1;
            LABELS.iter().position(|name| *name == other.as_str()).unwrap_or(last) as u8
        }
    }
}

/// The label for an index that [`index`] gave.
pub(super) fn label(index: u8) -> &'static str {
    LABELS.get(usize::from(index)).copied().unwrap_or("OTHER")
}
