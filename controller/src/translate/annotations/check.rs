//! The checks of annotation values, by the names of annotations §1.3.

use std::net::IpAddr;

/// A test with what it expects, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What kind of value it is about.
    pub kind: Kind,
    /// Whether a value is accepted.
    pub accepts: fn(&str) -> bool,
    /// What is accepted, in words.
    pub expects: &'static str,
}

/// Kinds of values (annotations §1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A whole number.
    Number,
    /// A number of bytes.
    Size,
    /// One of a few words.
    Choice,
    /// Several items.
    List,
    /// Anything else.
    Text,
}

impl Check {
    /// A test of a text, with what it expects.
    pub const fn new(accepts: fn(&str) -> bool, expects: &'static str) -> Self {
        Self { kind: Kind::Text, accepts, expects }
    }

    /// A test of a word out of a few.
    pub const fn choice(accepts: fn(&str) -> bool, expects: &'static str) -> Self {
        Self { kind: Kind::Choice, accepts, expects }
    }

    /// A test of several items.
    pub const fn list(accepts: fn(&str) -> bool, expects: &'static str) -> Self {
        Self { kind: Kind::List, accepts, expects }
    }

    const fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

/// Anything.
pub const ANY: Check = Check::new(|_| true, "anything");
/// V-bool.
pub const BOOL: Check =
    Check::new(|value| parse_bool(value).is_some(), "true or false").of(Kind::Boolean);
/// V-int.
pub const INT: Check =
    Check::new(|value| parse_int(value).is_some(), "a whole number").of(Kind::Number);
/// V-int where a negative number would make no sense: seconds, counts.
pub const COUNT: Check = Check::new(
    |value| parse_int(value).is_some_and(|number| number >= 0),
    "a whole number that is not negative",
)
.of(Kind::Number);
/// V-basic (s).
pub const BASIC: Check =
    Check::new(|value| each(value, Spaces::Ignored, is_basic), "letters, digits and -._~/:");
/// V-basic (s), for the name of an object.
pub const REFERENCE: Check = Check::new(BASIC.accepts, "NAME or NAMESPACE/NAME");
/// V-basic (s), for the name of an object with its namespace.
pub const FULL_REFERENCE: Check = Check::new(BASIC.accepts, "NAMESPACE/NAME");
/// V-basic with spaces.
pub const BASIC_SPACES: Check = Check::new(
    |value| each(value, Spaces::Counted, |c| is_basic(c) || c == ' '),
    "letters, digits, spaces and -._~/:",
);
/// V-url.
pub const URL: Check = Check::new(
    |value| each(value, Spaces::Counted, is_url),
    "a URL of letters, digits and -._~/:,?&=",
);
/// V-url (s).
pub const URL_SPACES: Check = Check::new(|value| each(value, Spaces::Ignored, is_url), URL.expects);
/// V-urlvar (s).
pub const URL_VARIABLES: Check = Check::new(
    |value| each(value, Spaces::Ignored, |c| is_url(c) || c == '$'),
    "a URL of letters, digits and -._~/:,?&=$",
);
/// V-capture.
pub const CAPTURE: Check = Check::new(
    |value| each(value, Spaces::Counted, |c| is_basic(c) || c == '$'),
    "a path of letters, digits and -._~/:$",
);
/// V-capture (s).
pub const CAPTURE_SPACES: Check = Check::new(
    |value| each(value, Spaces::Ignored, |c| is_basic(c) || c == '$'),
    "a path of letters, digits and -._~/:$",
);
/// V-var (s).
pub const VARIABLES: Check = Check::new(
    |value| each(value, Spaces::Ignored, |c| c.is_ascii_alphanumeric() || "-_${}".contains(c)),
    "letters, digits and -_${}",
);
/// V-regexchars.
pub const REGEX_CHARACTERS: Check = Check::new(
    |value| each(value.trim(), Spaces::Counted, is_regex),
    "letters, digits and -._~/:^$[](){}*+?|&=\\",
);
/// V-headers (s).
pub const HEADERS: Check = Check::list(
    |value| each(value, Spaces::Ignored, |c| c.is_ascii_alphanumeric() || "-_,".contains(c)),
    "names of headers separated by commas",
);
/// V-names.
pub const NAMES: Check = Check::list(
    |value| value.split(',').all(|name| each(name.trim(), Spaces::Counted, is_regex)),
    "names separated by commas",
);
/// V-size (s).
pub const SIZE: Check =
    Check::new(is_size, "a number of bytes, with k, m or g behind it if need be").of(Kind::Size);
/// V-cidrs.
pub const CIDRS: Check = Check::list(
    |value| value.is_empty() || value.split(',').all(|item| is_cidr(item.trim())),
    "addresses and networks separated by commas",
);
/// V-svc.
pub const SERVICE: Check = Check::new(is_dns_1035_label, "the name of a Service");
/// `on` or `off`.
pub const ON_OFF: Check = Check::choice(|value| matches!(value.trim(), "on" | "off"), "on or off");

/// V-bool: what the reference's language reads as a boolean.
pub fn parse_bool(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// V-int.
pub fn parse_int(value: &str) -> Option<i64> {
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| is_number)
}

/// Bytes of a size (1024-based); `None` for what passes the check and is ignored afterwards (`b`), or overflows.
pub fn parse_size(value: &str) -> Option<u64> {
    let value: String = value.chars().filter(|c| *c != ' ').collect();
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match value[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spaces {
    /// "(s)": they are removed for the check, and only for it.
    Ignored,
    Counted,
}

fn each(value: &str, spaces: Spaces, accepts: impl Fn(char) -> bool) -> bool {
    value.chars().all(|c| accepts(c) || c == ' ' && spaces == Spaces::Ignored)
}

fn is_basic(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~/:".contains(c)
}

fn is_url(c: char) -> bool {
    is_basic(c) || ",?&=".contains(c)
}

fn is_regex(c: char) -> bool {
    is_basic(c) || "^$[](){}*+?|&=\\".contains(c)
}

fn is_size(value: &str) -> bool {
    let value: String = value.chars().filter(|c| *c != ' ').collect();
    let digits = value.strip_suffix(['b', 'k', 'm', 'g', 'B', 'K', 'M', 'G']).unwrap_or(&value);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_cidr(item: &str) -> bool {
    let (address, bits) = match item.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (item, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| {
        bits.bytes().all(|byte| byte.is_ascii_digit())
            && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
    })
}

fn is_dns_1035_label(value: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    value.len() <= 63
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && !value.ends_with('-')
        && value.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (check, good, bad) in [
            (BOOL, &["1", "t", "True", "false"][..], &["yes", "on", " true", ""][..]),
            (INT, &["0", "-1", "+7"], &["1s", " 1", "1_000", "", "99999999999999999999"]),
            (COUNT, &["0", "7"], &["-1", "x"]),
            (BASIC, &["a b/c:1", ""], &["a,b", "a\nb", "é"]),
            (CAPTURE, &["/new/$1", "https://x.test/$1"], &["/a?b=$1", "/a b", "/a\n"]),
            (REGEX_CHARACTERS, &["$http_x.svc", " a "], &["a;b", "a\"b", "a b"]),
            (NAMES, &["a.test, ~^b\\d+$"], &["a.test, b c", "a;b"]),
            (SIZE, &["1", "8m", "8 M", "1b"], &["m", "8mb", "-1", "1.5m"]),
            (CIDRS, &["10.0.0.0/8, ::1", "10.1.1.1/8", ""], &["10.0.0.0/33", "10.0.0.0/8,", "x"]),
            (SERVICE, &["web", "a-1"], &["1a", "a-", "A", "a.b", ""]),
            (URL, &["https://a.test/x?y=1&z=2"], &["https://a/$x", "a b"]),
        ] {
            for value in good {
                assert!((check.accepts)(value), "{value:?} is {}", check.expects);
            }
            for value in bad {
                assert!(!(check.accepts)(value), "{value:?} is not {}", check.expects);
            }
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1k", Some(1024)),
            ("8 M", Some(8 << 20)),
            ("1g", Some(1 << 30)),
            ("1b", None),
            ("99999999999g", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }
}
