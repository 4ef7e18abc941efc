//! A log format: text with `$variables`, compiled once per table.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use thiserror::Error;

use super::{
    AccessRecord, Escape,
    clock::Now,
    variable::{Text, Variable},
};

/// The reference's format, called `upstreaminfo` there.
/// The reference's default format.
pub const DEFAULT: &str = concat!(
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "#,
    r#""$http_user_agent" $request_length $request_time [$proxy_upstream_name] "#,
    r#"[$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length "#,
    r#"$upstream_response_time $upstream_status $req_id"#,
);

/// A compiled log format.
#[derive(Clone, Debug)]
pub struct LogFormat {
    segments: Vec<Segment>,
    headers: Vec<HeaderName>,
    escape: Escape,
}

/// Request headers that a format shows, in the order that it expects them in. Empty, and then free, for a format that
/// shows none but `Referer` and `User-Agent`.
pub type Captured = Vec<Option<HeaderValue>>;

/// Why a log format is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// There is no such variable, or not here.
    #[error("unknown variable \"${0}\" in the log format")]
    UnknownVariable(String),
    /// A `$` without a name, or a `${` without a `}`.
    #[error("\"$\" without a variable name at byte {0} of the log format")]
    NoName(usize),
}

#[derive(Clone, Debug)]
enum Segment {
    Text(Box<[u8]>),
    Variable(Variable),
}

impl Default for LogFormat {
    /// The reference's default format.
    fn default() -> Self {
        Self::compile(DEFAULT, Escape::Default)
            .expect("the default format has only known variables")
    }
}

impl LogFormat {
    /// Compiles a format as the ConfigMap has it: `$name` or `${name}` for a variable, everything else as it stands.
    ///
    /// # Errors
    /// A variable is not known, or a `$` stands alone.
    pub fn compile(format: &str, escape: Escape) -> Result<Self, FormatError> {
        let mut compiled = Self { segments: Vec::new(), headers: Vec::new(), escape };
        for segment in segments(format) {
            let (text, name) = segment?;
            compiled.push_text(text);
            if let Some(name) = name {
                let variable = Variable::named(name, &mut compiled.headers)
                    .ok_or_else(|| FormatError::UnknownVariable(name.to_owned()))?;
                compiled.segments.push(Segment::Variable(variable));
            }
        }
        Ok(compiled)
    }

    /// Whether the format shows what has to be worked out for it, and is not kept otherwise: normalised path, name of the
    /// virtual host, and what upstreams are told about the client's connection.
    pub fn shows_details(&self) -> bool {
        self.segments.iter().any(|segment| match segment {
            Segment::Variable(Variable::Text(text)) => matches!(
                text,
                Text::Path | Text::ServerName | Text::AccessScheme | Text::AccessPort
            ),
            _ => false,
        })
    }

    /// Keeps those request headers that the format shows, before they are changed for the upstream. Repeated ones are
    /// joined as the reference joins them.
    pub fn capture(&self, headers: &HeaderMap) -> Captured {
        let values = self.headers.iter();
        values.map(|name| joined(headers, name)).collect()
    }

    /// Appends one line, without its end.
    pub(super) fn write(&self, line: &mut Vec<u8>, record: &AccessRecord<'_>, now: &Now) {
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => line.extend_from_slice(text),
                Segment::Variable(variable) => variable.write(line, record, now, self.escape),
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.segments.push(Segment::Text(text.as_bytes().into()));
        }
    }
}

/// The parts of a format: text with the name of the variable behind it, the last one without.
pub(super) fn segments(
    format: &str,
) -> impl Iterator<Item = Result<(&str, Option<&str>), FormatError>> {
    let mut rest = Some(format);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(at) = text.find('$') else { return Some(Ok((text, None))) };
        let position = format.len() - text.len() + at;
        let Some((name, behind)) = variable_name(&text[at + 1..]) else {
            return Some(Err(FormatError::NoName(position)));
        };
        rest = Some(behind);
        Some(Ok((&text[..at], Some(name))))
    })
}

/// The name at the beginning of what follows a `$`, and what follows the name.
fn variable_name(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        return braced.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let mut rest = values.peekable();
    if rest.peek().is_none() {
        return Some(first.clone());
    }
    let separator: &[u8] = match *name {
        header::COOKIE => b"; ",
        _ => b", ",
    };
    let mut all = first.as_bytes().to_vec();
    for value in rest {
        all.extend_from_slice(separator);
        all.extend_from_slice(value.as_bytes());
    }
    HeaderValue::from_bytes(&all).ok()
}

#[cfg(test)]
mod tests;
