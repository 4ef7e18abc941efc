//! `Domain` and `Path` of upstreams' cookies (`proxy-cookie-domain`, `proxy-cookie-path`; annotations §3.18). No I/O.

use super::replace::Replace;
use crate::filter::variables::Variables;

/// The line of a cookie after its attributes were rewritten; nothing if it stays as it is. A line that changes is put together
/// anew, with `; ` between its parts, as the reference does.
pub fn rewrite(
    line: &[u8],
    domain: Option<&Replace>,
    path: Option<&Replace>,
    variables: &Variables<'_>,
) -> Option<Vec<u8>> {
    let mut parts = line.split(|byte| *byte == b';').map(attribute);
    let mut out = Vec::with_capacity(line.len() + 32);
    let mut changed = false;
    let (name, value) = parts.next()?;
    append(&mut out, name, value);
    for (name, value) in parts {
        let replace = match name {
            _ if name.eq_ignore_ascii_case(b"domain") => domain,
            _ if name.eq_ignore_ascii_case(b"path") => path,
            _ => None,
        };
        out.extend_from_slice(b"; ");
        match replace.zip(value).and_then(|(replace, value)| replace.apply(value, variables)) {
            Some(new) => {
                append(&mut out, name, Some(&new.concat()));
                changed = true;
            }
            None => append(&mut out, name, value),
        }
    }
    changed.then_some(out)
}

/// Name and value of a part.
fn attribute(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (part[..at].trim_ascii(), Some(part[at + 1..].trim_ascii())),
        None => (part.trim_ascii(), None),
    }
}

fn append(out: &mut Vec<u8>, name: &[u8], value: Option<&[u8]>) {
    out.extend_from_slice(name);
    if let Some(value) = value {
        out.push(b'=');
        out.extend_from_slice(value);
    }
}
