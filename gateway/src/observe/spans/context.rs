//! The place of a request in a trace, and how it is said in headers (W3C Trace Context). Pure.

use http::HeaderMap;

use super::trace_state::TraceState;

/// Identity of a trace; not all zero.
pub type TraceId = [u8; 16];
/// Identity of a span in its trace; not all zero.
pub type SpanId = [u8; 8];

/// The header that names trace and parent.
pub const PARENT: &str = "traceparent";
/// The header with what systems on the way have to say about the trace.
pub const STATE: &str = "tracestate";

/// Length of `00-TRACE-SPAN-FLAGS`.
const LENGTH: usize = 55;
/// The flag of traces that are recorded.
const SAMPLED: u8 = 1;

/// A span of somebody else, that a request is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether the trace is recorded there.
    pub is_sampled: bool,
    /// What systems on the way have to say.
    pub state: TraceState,
}

impl Parent {
    /// The span that a request names. One that is not named once and well is none, and then what else is said about the
    /// trace counts for nothing.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(PARENT).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let (trace, span, flags) = parse(line.as_bytes().trim_ascii())?;
        let lines = headers.get_all(STATE).iter().map(http::HeaderValue::as_bytes);
        let state = TraceState::read(lines);
        Some(Self { trace, span, is_sampled: flags & SAMPLED != 0, state })
    }
}

/// Trace, span and flags of a `traceparent`. Later versions may have more behind these.
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, u8)> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    if [2, 35, 52].iter().any(|at| known[*at] != b'-') {
        return None;
    }
    let [version] = hex(&known[..2])?;
    let is_whole = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.first().is_none_or(|byte| *byte == b'-'),
    };
    let (trace, span): (TraceId, SpanId) = (hex(&known[3..35])?, hex(&known[36..52])?);
    let [flags] = hex(&known[53..])?;
    (is_whole && trace != [0; 16] && span != [0; 8]).then_some((trace, span, flags))
}

/// Bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    (text.len() == 2 * N).then_some(bytes)
}

/// A `traceparent`, whose parts are also what variables show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentText([u8; LENGTH]);

impl ParentText {
    /// That of a span.
    pub fn new(trace: &TraceId, span: &SpanId, is_sampled: bool) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"00-................................-................-00";
        let mut write = |from: usize, bytes: &[u8]| {
            for (byte, pair) in bytes.iter().zip(text[from..].chunks_exact_mut(2)) {
                pair[0] = DIGITS[usize::from(byte >> 4)];
                pair[1] = DIGITS[usize::from(byte & 15)];
            }
        };
        write(3, trace);
        write(36, span);
        text[LENGTH - 1] += u8::from(is_sampled);
        Self(text)
    }

    /// All of it.
    pub fn whole(&self) -> &[u8] {
        &self.0
    }

    /// The trace.
    pub fn trace(&self) -> &[u8] {
        &self.0[3..35]
    }

    /// The span.
    pub fn span(&self) -> &[u8] {
        &self.0[36..52]
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parent(lines: &[&str], states: &[&str]) -> Option<Parent> {
        let mut headers = HeaderMap::new();
        for (name, lines) in [(PARENT, lines), (STATE, states)] {
            for line in lines {
                headers.append(name, HeaderValue::from_str(line).expect("a value"));
            }
        }
        Parent::of(&headers)
    }

    #[test]
    fn what_is_written_is_read() {
        let read = parent(&[GOOD], &["a=1"]).expect("a parent");
        assert!(read.is_sampled);
        assert_eq!(read.state.text(), "a=1");
        let text = ParentText::new(&read.trace, &read.span, true);
        assert_eq!(text.whole(), GOOD.as_bytes());
        assert_eq!(text.trace(), b"0af7651916cd43dd8448eb211c80319c");
        assert_eq!(text.span(), b"b7ad6b7169203331");
        let text = ParentText::new(&read.trace, &read.span, false);
        assert!(text.whole().ends_with(b"-00"));
    }

    #[test]
    fn flags_of_which_nothing_is_known_count_for_nothing() {
        let with_flags = |flags: &str| parent(&[&format!("{}{flags}", &GOOD[..53])], &[]);
        assert!(!with_flags("02").expect("a parent").is_sampled);
        assert!(with_flags("ff").expect("a parent").is_sampled);
    }

    #[test]
    fn later_versions_may_say_more() {
        let later = GOOD.replacen("00", "cc", 1);
        assert!(parent(&[&later], &[]).is_some());
        assert!(parent(&[&format!("{later}-more")], &[]).is_some());
        assert!(parent(&[&format!("{later}.more")], &[]).is_none());
    }

    #[test]
    fn what_is_malformed_or_said_twice_is_no_parent() {
        for text in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-"),
            &format!("{GOOD}0"),
            &GOOD.replacen("00", "ff", 1),
            &GOOD.replacen("00", "0G", 1),
            &GOOD.replace('a', "A"),
            &GOOD.replace('-', "_"),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replace("-01", "-0x"),
        ] {
            assert_eq!(parent(&[text], &["a=1"]), None, "{text}");
        }
        assert_eq!(parent(&[GOOD, GOOD], &[]), None);
        assert_eq!(parent(&[], &["a=1"]), None);
    }
}
