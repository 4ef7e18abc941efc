//! Parsing a document. The only place that knows the YAML library.

use serde::de::DeserializeOwned;
/// A value with its place.
pub use serde_saphyr::Spanned;

use super::Problem;

/// Reads a document, YAML or JSON.
pub fn from_text<T: DeserializeOwned>(document: &str) -> Result<T, Problem> {
    // JSON is YAML, too, but its own parser is several times faster.
    if document.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(document)
    {
        return Ok(value);
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            // A folder may hold the dump of a whole cluster in one list.
            max_nodes: 20_000_000,
            max_events: 40_000_000,
        },
    };
    serde_saphyr::from_str_with_options(document, options).map_err(|error| Problem {
        line: error.location().map_or(0, |location| location.line()),
        object: None,
        reason: without_position(error.without_snippet().to_string()),
    })
}

/// The library's message less its position, which counts from the document's first line.
fn without_position(mut message: String) -> String {
    if let Some((at, rest)) =
        message.rsplit_once(" at line ").map(|(head, rest)| (head.len(), rest))
        && rest.bytes().all(|byte| byte.is_ascii_digit() || b", column".contains(&byte))
    {
        message.truncate(at);
    }
    message
}
