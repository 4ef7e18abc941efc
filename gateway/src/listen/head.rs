//! Checks one HTTP/1 request head as raw bytes, before the HTTP library parses it: what the library would accept,
//! repair or answer differently from the reference is decided here (routing §3.1). No I/O.

use memchr::memchr;

/// Longest request line, line end included; longer ones are 414 (`large-client-header-buffers`, 4 × 8k).
const MAX_REQUEST_LINE: usize = 8192;
/// Longest header line; longer ones are 400.
const MAX_HEADER_LINE: usize = 8192;
/// Most header lines; more are 400. As many as the HTTP library keeps without an allocation of its own.
const MAX_LINES: u32 = 100;
/// Longest head; longer ones are 400.
pub(super) const MAX_HEAD: usize = 4 * 8192;
/// Largest number that fits the signed offset that sizes are kept in elsewhere.
const MAX_LENGTH: u64 = i64::MAX as u64;

/// How the body after a head is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// This many bytes; zero for none.
    Length(u64),
    /// Chunked coding.
    Chunked,
}

/// What is worth knowing about an accepted head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub framing: BodyFraming,
    /// A header name has a character outside `[A-Za-z0-9-]`: such lines are dropped later.
    pub odd_names: bool,
    /// The HTTP library would refuse or change the head although it is fine: it has to be shown what [`repair`] makes.
    pub repair: bool,
    /// The client wants to change the protocol.
    pub wants_upgrade: bool,
}

/// The status that a refused head is answered with; the connection is closed after it.
pub(super) type Refusal = u16;

/// Where the head at the start of `bytes` ends, if all of it is there. `from` is where a search before left off.
/// Empty lines in front of the request line are allowed (RFC 9112 §2.2) and must have been skipped.
pub(super) fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    while let Some(found) = memchr(b'\n', &bytes[at..]) {
        let next = at + found + 1;
        match bytes.get(next) {
            Some(b'\n') => return Some(next + 1),
            Some(b'\r') if bytes.get(next + 1) == Some(&b'\n') => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

/// The refusal of a head of which only this much has arrived, if it can be told already.
pub(super) fn refuse_partial(bytes: &[u8]) -> Option<Refusal> {
    if memchr(b'\n', bytes).is_none() && bytes.len() >= MAX_REQUEST_LINE {
        return Some(414);
    }
    (bytes.len() > MAX_HEAD).then_some(400)
}

/// Checks a complete head (request line, header lines, empty line).
pub(super) fn check(head: &[u8]) -> Result<Accepted, Refusal> {
    let mut lines = Lines { rest: head };
    let line_end = memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    if line_end > MAX_REQUEST_LINE {
        return Err(414);
    }
    let (version, repair) = request_line(lines.next().unwrap_or_default())?;
    let mut fields = Fields { repair, ..Fields::default() };
    for line in lines {
        if line.is_empty() {
            break;
        }
        fields.line(line)?;
    }
    fields.finish(version)
}

/// A head without what the HTTP library would stumble over: lines with names that are none, and a target that it
/// cannot hold, which is replaced by `/` and returned.
pub(super) fn repair(head: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut out = Vec::with_capacity(head.len());
    let mut lines = Lines { rest: head };
    let mut target = None;
    if let Some(line) = lines.next() {
        let mut parts = line.splitn(3, |b| *b == b' ');
        let (method, found, version) = (parts.next(), parts.next(), parts.next());
        let found = found.unwrap_or_default();
        out.extend_from_slice(method.unwrap_or_default());
        out.push(b' ');
        if odd_target(found) {
            out.push(b'/');
            target = Some(found.to_vec());
        } else {
            out.extend_from_slice(found);
        }
        out.push(b' ');
        out.extend_from_slice(version.unwrap_or_default());
        out.extend_from_slice(b"\r\n");
    }
    for line in lines.take_while(|line| !line.is_empty()) {
        let name = memchr(b':', line).map_or(line, |colon| &line[..colon]);
        if classes(name) & NO_TOKEN == 0 {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    (out, target)
}

/// Whether the HTTP library would refuse a target that the reference takes, or cut it at `#`.
fn odd_target(target: &[u8]) -> bool {
    classes(target) & ODD_TARGET != 0
}

/// White space and control characters but not the bytes from 0x80 on.
const CONTROL: u8 = 1;
/// What is no `tchar`.
const NO_TOKEN: u8 = 2;
/// What is neither a letter nor a digit nor `-`.
const ODD_NAME: u8 = 4;
/// What the HTTP library does not take in a target.
const ODD_TARGET: u8 = 8;

/// The classes of every byte.
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        let odd_target = byte >= 0x80
            || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#');
        table[index] = if byte <= b' ' || byte == 0x7f { CONTROL } else { 0 }
            | if token(byte) { 0 } else { NO_TOKEN }
            | if byte.is_ascii_alphanumeric() || byte == b'-' { 0 } else { ODD_NAME }
            | if odd_target { ODD_TARGET } else { 0 };
        index += 1;
    }
    table
};

/// The classes of all bytes together.
fn classes(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |seen, byte| seen | CLASSES[usize::from(*byte)])
}

/// The two versions that are spoken here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn request_line(line: &[u8]) -> Result<(Version, bool), Refusal> {
    let mut parts = line.split(|b| *b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(400);
    };
    // The reference takes upper-case words only.
    if method.is_empty()
        || !method.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-'))
    {
        return Err(400);
    }
    if target.is_empty() || target.iter().any(|b| *b < 0x20 || *b == 0x7f) {
        return Err(400);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', b'2'..=b'9', ..] => return Err(505),
        _ => return Err(400),
    };
    if matches!(method, b"CONNECT" | b"TRACE") {
        return Err(405);
    }
    Ok((version, odd_target(target)))
}

/// The framing and routing fields of a head.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    coding: Option<Coding>,
    hosts: u32,
    odd_names: bool,
    repair: bool,
    wants_upgrade: bool,
    lines: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    Unknown,
    Repeated,
}

impl Fields {
    fn line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.len() > MAX_HEADER_LINE {
            return Err(400);
        }
        // A folded line (RFC 9112 §5.2) starts with white space; it has no name either.
        let colon = memchr(b':', line).ok_or(400u16)?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let seen = classes(name);
        if name.is_empty() || seen & CONTROL != 0 {
            return Err(400);
        }
        if seen & NO_TOKEN != 0 {
            // No header at all for the reference: the line is dropped.
            self.repair = true;
            return Ok(());
        }
        // Looks at all bytes even when the first is bad: good lines are the usual ones, and faster so.
        let bad = |b: u8| ((b < 0x20) & (b != b'\t')) | (b == 0x7f);
        if value.iter().fold(false, |any, b| any | bad(*b)) {
            return Err(400);
        }
        self.odd_names |= seen & ODD_NAME != 0;
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Err(400);
        }
        match name.len() {
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.wants_upgrade = true,
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => {}
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let value = value.trim_ascii();
        // A second one is refused even when it is equal; so is a list (RFC 9112 §6.3).
        if self.length.is_some()
            || value.is_empty()
            || value.len() > 19
            || !value.iter().all(u8::is_ascii_digit)
        {
            return Err(400);
        }
        let length = value.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        if length > MAX_LENGTH {
            return Err(400);
        }
        self.length = Some(length);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        self.coding = Some(match self.coding {
            Some(_) => Coding::Repeated,
            None if value.trim_ascii().eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
            None => Coding::Unknown,
        });
    }

    fn finish(self, version: Version) -> Result<Accepted, Refusal> {
        if self.hosts > 1 || (self.hosts == 0 && version == Version::Http11) {
            return Err(400);
        }
        let framing = match (self.coding, self.length) {
            (None, length) => BodyFraming::Length(length.unwrap_or(0)),
            (Some(_), _) if version == Version::Http10 => return Err(400),
            (Some(_), Some(_)) | (Some(Coding::Repeated), None) => return Err(400),
            (Some(Coding::Unknown), None) => return Err(501),
            (Some(Coding::Chunked), None) => BodyFraming::Chunked,
        };
        Ok(Accepted {
            framing,
            odd_names: self.odd_names,
            repair: self.repair,
            wants_upgrade: self.wants_upgrade && version == Version::Http11,
        })
    }
}

/// RFC 9110 §5.6.2 `tchar`.
const fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Lines without their ends (`\n` or `\r\n`).
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(lines: &[&str]) -> Option<Refusal> {
        check(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).err()
    }

    fn framing(lines: &[&str]) -> BodyFraming {
        check(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).expect("accepted").framing
    }

    const POST: &str = "POST / HTTP/1.1";
    const HOST: &str = "Host: a.test";

    #[test]
    fn plain_requests_are_accepted() {
        assert_eq!(framing(&["GET /x?y HTTP/1.1", HOST, "Accept: */*"]), BodyFraming::Length(0));
        assert_eq!(framing(&[POST, HOST, "Content-Length: 5"]), BodyFraming::Length(5));
        assert_eq!(framing(&[POST, HOST, "Transfer-Encoding: Chunked "]), BodyFraming::Chunked);
        assert_eq!(framing(&["GET / HTTP/1.0"]), BodyFraming::Length(0));
    }

    #[test]
    fn request_lines_are_strict() {
        for line in [
            "GET / HTTP/1.1 x",
            "GET / HTTQ/1.1",
            "get / HTTP/1.1",
            "GET  / HTTP/1.1",
            "GET /\t HTTP/1.1",
        ] {
            assert_eq!(refusal(&[line, HOST]), Some(400), "{line}");
        }
        assert_eq!(refusal(&["GET / HTTP/2.0", HOST]), Some(505));
        assert_eq!(refusal(&["CONNECT a.test:443 HTTP/1.1", HOST]), Some(405));
        assert_eq!(refusal(&["TRACE / HTTP/1.1", HOST]), Some(405));
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for (lines, status) in [
            (vec!["Content-Length: 5", "Content-Length: 5"], 400),
            (vec!["Content-Length: 5, 5"], 400),
            (vec!["Content-Length: +5"], 400),
            (vec!["Content-Length: 9223372036854775808"], 400),
            (vec!["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
            (vec!["Transfer-Encoding: chunked", "Content-Length: 5"], 400),
            (vec!["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], 400),
            (vec!["Transfer-Encoding: xchunked"], 501),
            (vec!["Transfer-Encoding: gzip, chunked"], 501),
            (vec!["Transfer-Encoding: ,chunked"], 501),
            (vec!["Transfer-Encoding:"], 501),
        ] {
            let mut all = vec![POST, HOST];
            all.extend(lines.iter());
            assert_eq!(refusal(&all), Some(status), "{lines:?}");
        }
        assert_eq!(refusal(&["POST / HTTP/1.0", "Transfer-Encoding: chunked"]), Some(400));
    }

    #[test]
    fn hosts_are_counted() {
        assert_eq!(refusal(&[POST]), Some(400));
        assert_eq!(refusal(&[POST, HOST, "host: b.test"]), Some(400));
    }

    #[test]
    fn header_lines_are_strict() {
        for line in [" folded", "X-A : b", "no colon", ": empty", "X-A: a\0b", "X\u{7f}: b"] {
            assert_eq!(refusal(&["GET / HTTP/1.1", HOST, line]), Some(400), "{line:?}");
        }
        let odd = check(b"GET / HTTP/1.1\r\nHost: a\r\nX_A: b\r\n\r\n").expect("accepted");
        assert!(odd.odd_names);
    }

    #[test]
    fn what_the_library_cannot_hold_is_taken_out() {
        let head = b"GET /a\"#b HTTP/1.1\r\nHost: a\r\nX@Y: 1\r\nX-Z: 2\r\n\r\n";
        assert!(check(head).expect("accepted").repair);
        let (head, target) = repair(head);
        assert_eq!(head, b"GET / HTTP/1.1\r\nHost: a\r\nX-Z: 2\r\n\r\n");
        assert_eq!(target.as_deref(), Some(&b"/a\"#b"[..]));
    }

    #[test]
    fn long_lines_have_their_own_status() {
        let line = |target: usize| format!("GET /{} HTTP/1.1", "a".repeat(target - 1));
        assert_eq!(refusal(&[&line(8177), HOST]), None);
        assert_eq!(refusal(&[&line(8178), HOST]), Some(414));
        assert_eq!(
            refusal(&["GET / HTTP/1.1", HOST, &format!("X: {}", "a".repeat(8200))]),
            Some(400)
        );
    }

    #[test]
    fn the_end_is_found_across_reads_and_with_bare_line_feeds() {
        assert_eq!(end_of_head(b"GET / HTTP/1.1\r\n\r", 0), None);
        assert_eq!(end_of_head(b"GET / HTTP/1.1\r\n\r\nx", 17), Some(18));
        assert_eq!(end_of_head(b"GET / HTTP/1.1\n\nx", 0), Some(16));
    }
}
