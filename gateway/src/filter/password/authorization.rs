//! Reads an `Authorization` header (RFC 7617, RFC 7616). Knows nothing of who may come.

use std::borrow::Cow;

use crate::base64;

/// Longer passwords are right nowhere: the C library's limit, and hashing takes time that grows with the length.
const MAX_PASSWORD: usize = 512;

/// A user name and a password.
pub struct Basic {
    bytes: Vec<u8>,
    colon: usize,
}

impl Basic {
    /// The credentials in the value of a header; none if it is of another scheme, malformed, or names nobody.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let bytes = base64::decode(credentials(value, b"basic")?)?;
        let colon = memchr::memchr(b':', &bytes).filter(|colon| *colon > 0)?;
        Some(Self { bytes, colon })
    }

    /// Who it is.
    pub fn user(&self) -> &[u8] {
        &self.bytes[..self.colon]
    }

    /// The password, if one like this can be right anywhere. NUL ends a password where hashes are made.
    pub fn password(&self) -> Option<&[u8]> {
        let password = &self.bytes[self.colon + 1..];
        (password.len() <= MAX_PASSWORD && !password.contains(&0)).then_some(password)
    }

    /// The user name alone.
    pub fn into_user(mut self) -> Vec<u8> {
        self.bytes.truncate(self.colon);
        self.bytes
    }
}

/// What proves that a client knows a password, for one request.
#[derive(Debug, PartialEq, Eq)]
pub struct Digest<'a> {
    /// Who it is.
    pub username: Cow<'a, [u8]>,
    /// What the password is for.
    pub realm: Cow<'a, [u8]>,
    /// What the server asked with.
    pub nonce: Cow<'a, [u8]>,
    /// The target of the request, as the client sees it.
    pub uri: Cow<'a, [u8]>,
    /// The proof: 32 hexadecimal digits.
    pub response: Cow<'a, [u8]>,
    /// What the client adds of its own.
    pub cnonce: Cow<'a, [u8]>,
    /// How often the nonce was used: eight hexadecimal digits.
    pub nc: Cow<'a, [u8]>,
}

impl<'a> Digest<'a> {
    /// The proof in the value of a header, if it is one with MD5 and `qop=auth`, and has every part exactly once.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut parts: [Option<Cow<'a, [u8]>>; PARTS.len()] = Default::default();
        let mut rest = credentials(value, b"digest")?;
        loop {
            rest = rest.trim_ascii_start();
            let Some(part) = take_part(&mut rest)? else { break };
            let (name, value) = part;
            let known = PARTS.iter().position(|part| name.eq_ignore_ascii_case(part.as_bytes()));
            if let Some(index) = known {
                if parts[index].replace(value).is_some() {
                    return None;
                }
            } else if name.eq_ignore_ascii_case(b"userhash")
                && !value.eq_ignore_ascii_case(b"false")
            {
                return None;
            }
        }
        let [username, realm, nonce, uri, response, cnonce, nc, qop, algorithm] = parts;
        let is_md5 = algorithm.is_none_or(|algorithm| algorithm.eq_ignore_ascii_case(b"md5"));
        if !is_md5 || !qop?.eq_ignore_ascii_case(b"auth") {
            return None;
        }
        let is_hex =
            |text: &[u8], length| text.len() == length && text.iter().all(u8::is_ascii_hexdigit);
        let digest = Self {
            username: username?,
            realm: realm?,
            nonce: nonce?,
            uri: uri?,
            response: response?,
            cnonce: cnonce?,
            nc: nc?,
        };
        (is_hex(&digest.response, 32) && is_hex(&digest.nc, 8)).then_some(digest)
    }

    /// How often the nonce was used, this request included.
    pub fn count(&self) -> u32 {
        let text = std::str::from_utf8(&self.nc).unwrap_or_default();
        u32::from_str_radix(text, 16).unwrap_or(0)
    }
}

const PARTS: [&str; 9] =
    ["username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop", "algorithm"];

/// What stands behind the scheme.
fn credentials<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = value.split_at_checked(scheme.len())?;
    let rest = rest.strip_prefix(b" ")?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
}

/// A name with its value.
type Part<'a> = (&'a [u8], Cow<'a, [u8]>);

/// Takes `name=value` or `name="value"` and the comma behind it. The inner `None` is the end; the outer one is
/// malformed.
fn take_part<'a>(rest: &mut &'a [u8]) -> Option<Option<Part<'a>>> {
    if rest.is_empty() {
        return Some(None);
    }
    let equals = memchr::memchr(b'=', rest)?;
    let name = rest[..equals].trim_ascii();
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return None;
    }
    let after = rest[equals + 1..].trim_ascii_start();
    let (value, after) = match after.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted)?,
        None => {
            let end = after.iter().position(|byte| !is_token(*byte)).unwrap_or(after.len());
            (Cow::Borrowed(&after[..end]), &after[end..])
        }
    };
    let after = after.trim_ascii_start();
    *rest = match after.split_first() {
        None => after,
        Some((b',', after)) if !after.trim_ascii_start().is_empty() => after,
        Some(_) => return None,
    };
    Some(Some((name, value)))
}

/// A quoted text up to its end, and what is behind it.
fn unquoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let end = memchr::memchr2(b'"', b'\\', text)?;
    if text[end] == b'"' {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut value = text[..end].to_vec();
    let mut bytes = text[end..].iter().enumerate();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((Cow::Owned(value), &text[end + index + 1..])),
            b'\\' => value.push(*bytes.next()?.1),
            byte => value.push(*byte),
        }
    }
    None
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
