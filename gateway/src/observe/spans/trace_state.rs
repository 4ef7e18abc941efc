//! `tracestate`: what systems that a request has passed have to say about its trace (W3C Trace Context §3.3). It is passed
//! on as it is, if it is well-formed, and else not at all. Pure.

/// Systems that may say something.
const MOST_MEMBERS: usize = 32;

/// Well-formed members, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceState(Box<str>);

impl TraceState {
    /// What these header lines say together.
    pub fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        Self(members(lines).unwrap_or_default().into())
    }

    /// The value of the header; empty for nothing.
    pub fn text(&self) -> &str {
        &self.0
    }
}

fn members<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut known: Vec<&str> = Vec::new();
    let mut text = String::new();
    for member in lines.flat_map(|line| line.split(|byte| *byte == b',')) {
        // Only blanks and tabs may be around a member.
        let member = std::str::from_utf8(member).ok()?.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        if known.len() == MOST_MEMBERS || known.contains(&key) || !is_key(key) || !is_value(value) {
            return None;
        }
        known.push(key);
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(member);
    }
    Some(text)
}

/// `vendor`, or `tenant@vendor`.
fn is_key(key: &str) -> bool {
    let is_name = |name: &str, most: usize| {
        let begins =
            name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let goes_on = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/".contains(&b);
        begins && name.len() <= most && name.bytes().all(goes_on)
    };
    match key.split_once('@') {
        Some((tenant, vendor)) => is_name(tenant, 241) && is_name(vendor, 14),
        None => is_name(key, 256),
    }
}

/// Printable characters but for `,` and `=`. What is around it was cut off.
fn is_value(value: &str) -> bool {
    let is_printable = |b: u8| (b' '..=b'~').contains(&b) && b != b',' && b != b'=';
    !value.is_empty() && value.len() <= 256 && value.bytes().all(is_printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> String {
        TraceState::read(lines.iter().map(|line| line.as_bytes())).text().to_owned()
    }

    #[test]
    fn members_of_all_lines_are_passed_on_in_their_order() {
        assert_eq!(read(&["a=1, b=two words ,", "", "\tt@v=3 "]), "a=1,b=two words,t@v=3");
        assert_eq!(read(&["0_-*/=!~"]), "0_-*/=!~");
        assert_eq!(read(&[]), "");
    }

    #[test]
    fn one_malformed_member_takes_all_with_it() {
        let long = format!("{}=1", "a".repeat(257));
        for bad in [
            "a", "=1", "a=", "A=1", "a=1=2", "a b=1", "a=\u{e9}", "a=1,a=2", "@v=1", "t@=1",
            "t@v@w=1", "_a=1", &long, "a=\u{7f}",
        ] {
            assert_eq!(read(&["good=1", bad]), "", "{bad}");
        }
    }

    #[test]
    fn only_so_many_may_say_something() {
        let of = |count: usize| (0..count).map(|n| format!("a{n}=1")).collect::<Vec<_>>().join(",");
        assert_eq!(read(&[&of(32)]), of(32));
        assert_eq!(read(&[&of(33)]), "");
    }
}
