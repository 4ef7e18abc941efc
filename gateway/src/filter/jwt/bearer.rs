//! The token in a request (RFC 6750 §2.1). Those in bodies and in targets are not looked at: they end up in logs.

use super::Flaw;

/// A longer token counts nowhere.
const MOST_BYTES: usize = 16 * 1024;

/// What a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer<'a> {
    /// No token.
    Nothing,
    /// A token, as it is written.
    Token(&'a str),
    /// Something that nobody should be believed by.
    Flawed(Flaw),
}

impl<'a> Bearer<'a> {
    /// Reads the lines of `Authorization`.
    pub fn read(mut lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let Some(line) = lines.next() else { return Self::Nothing };
        if lines.next().is_some() {
            // Somebody behind might believe the other.
            return Self::Flawed(Flaw::Ambiguous);
        }
        let (scheme, rest) = line.split_at(line.len().min(b"bearer".len()));
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Self::Nothing;
        }
        match rest {
            [] => Self::Flawed(Flaw::Ambiguous),
            [b' ', ..] => Self::token(rest.trim_ascii()),
            // Another scheme whose name begins like it.
            _ => Self::Nothing,
        }
    }

    fn token(text: &'a [u8]) -> Self {
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        match std::str::from_utf8(text) {
            Ok("") => Self::Flawed(Flaw::Ambiguous),
            Ok(token) if token.len() <= MOST_BYTES && text.iter().all(is_part) => {
                Self::Token(token)
            }
            _ => Self::Flawed(Flaw::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(lines: &[&'a str]) -> Bearer<'a> {
        Bearer::read(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn a_token_stands_alone_behind_its_scheme() {
        for line in ["Bearer a.b-_.c", "bearer a.b-_.c", "BEARER   a.b-_.c "] {
            assert_eq!(read(&[line]), Bearer::Token("a.b-_.c"), "{line}");
        }
    }

    #[test]
    fn another_scheme_is_no_token() {
        assert_eq!(read(&[]), Bearer::Nothing);
        for line in ["", "Basic dTpw", "Bear a", "Bearers a.b.c", "Bearer=a", "a.b.c"] {
            assert_eq!(read(&[line]), Bearer::Nothing, "{line}");
        }
    }

    #[test]
    fn two_lines_are_no_token_whatever_they_say() {
        for lines in [["Bearer a.b.c", "Bearer a.b.c"], ["Basic dTpw", "Bearer a.b.c"]] {
            assert_eq!(read(&lines), Bearer::Flawed(Flaw::Ambiguous), "{lines:?}");
        }
        assert_eq!(read(&["Bearer"]), Bearer::Flawed(Flaw::Ambiguous));
        assert_eq!(read(&["Bearer  "]), Bearer::Flawed(Flaw::Ambiguous));
    }

    #[test]
    fn what_no_token_consists_of_is_refused_unread() {
        for line in ["Bearer a b", "Bearer a,b", "Bearer a=", "Bearer a\tb", "Bearer é"] {
            assert_eq!(read(&[line]), Bearer::Flawed(Flaw::Malformed), "{line}");
        }
        let longest = format!("Bearer {}", "a".repeat(MOST_BYTES));
        assert!(matches!(read(&[&longest]), Bearer::Token(_)));
        assert_eq!(read(&[&format!("{longest}a")]), Bearer::Flawed(Flaw::Malformed));
    }
}
