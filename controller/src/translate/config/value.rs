//! Values of ConfigMap keys (configmap-and-flags §1). Each error says what was expected.

use std::time::Duration;

use headgate_config::{HeadLimits, Network, NotANetwork};

use crate::{
    objects::Key,
    translate::annotations::{check, proxy},
};

type Expected = &'static str;

/// A boolean; empty is false.
pub fn bool(text: &str) -> Result<bool, Expected> {
    if text.is_empty() {
        return Ok(false);
    }
    check::parse_bool(text).ok_or("true or false")
}

/// A whole number with the base prefixes of the reference's language (`0x10`; a leading 0 is octal); empty is 0.
pub fn int(text: &str) -> Result<i64, Expected> {
    if text.is_empty() {
        return Ok(0);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, base) = match lower.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if lower.starts_with("0b") => (&lower[2..], 2),
        None if lower.starts_with("0o") => (&lower[2..], 8),
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    match i64::from_str_radix(digits, base) {
        Ok(number) if !digits.starts_with(['+', '-']) => Ok(sign * number),
        _ => Err("a whole number"),
    }
}

/// A whole number that is not negative.
pub fn count(text: &str) -> Result<u64, Expected> {
    u64::try_from(int(text)?).map_err(|_| "a whole number that is not negative")
}

/// The name of a header, in lower case.
pub fn header_name(text: &str) -> Result<String, Expected> {
    let name = text.trim();
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !name.is_empty() && name.bytes().all(is_token) {
        Ok(name.to_ascii_lowercase())
    } else {
        Err("the name of a header")
    }
}

/// A time in whole seconds.
pub fn seconds(text: &str) -> Result<Duration, Expected> {
    count(text)?;
    int(text).map(proxy::seconds)
}

/// A time with units, as in nginx: `1h`, `1h30m`, `500ms`; a bare number is seconds.
pub fn time(text: &str) -> Result<Duration, Expected> {
    const EXPECTED: Expected = "a time such as 30s or 1h30m";
    const UNITS: [(&str, u64); 8] = [
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
        ("M", 2_592_000_000),
        ("y", 31_536_000_000),
    ];
    let mut rest = text.trim();
    let mut milliseconds: u64 = 0;
    if rest.is_empty() {
        return Err(EXPECTED);
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| EXPECTED)?;
        rest = rest[digits..].trim_start();
        let unit = UNITS.iter().find(|(unit, _)| rest.starts_with(unit));
        let (unit, factor) = match unit {
            Some(unit) => *unit,
            None if rest.is_empty() => ("", 1000),
            None => return Err(EXPECTED),
        };
        rest = rest[unit.len()..].trim_start();
        milliseconds = number
            .checked_mul(factor)
            .and_then(|part| milliseconds.checked_add(part))
            .ok_or(EXPECTED)?;
    }
    Ok(Duration::from_millis(milliseconds).min(proxy::seconds(i64::MAX)))
}

/// A size in bytes.
pub fn size(text: &str) -> Result<u64, Expected> {
    check::parse_size(text).ok_or("a size such as 512k or 8m")
}

/// Number and size of the buffers for the head of a request: a line has to fit into one, the head into all of them.
pub fn head_limits(text: &str) -> Result<HeadLimits, Expected> {
    const EXPECTED: Expected =
        "a number and a size such as 4 8k, of 1k at least and 1m in all at most";
    const MOST: u64 = 1024 * 1024;
    let mut words = text.split_whitespace();
    let (Some(number), Some(line), None) = (words.next(), words.next(), words.next()) else {
        return Err(EXPECTED);
    };
    let (number, line) = (count(number)?, size(line)?);
    let total = number.checked_mul(line).filter(|total| *total <= MOST && line >= 1024);
    let bytes = |size| u32::try_from(size).map_err(|_| EXPECTED);
    Ok(HeadLimits {
        line: bytes(line)?,
        total: bytes(total.filter(|_| number > 0).ok_or(EXPECTED)?)?,
    })
}

/// A text without control characters, trimmed.
pub fn one_line(text: &str) -> Result<String, Expected> {
    let text = text.trim();
    let is_fine = !text.chars().any(char::is_control);
    is_fine.then(|| text.to_owned()).ok_or("one line of text")
}

/// The name of an object with its namespace.
pub fn reference(text: &str) -> Option<Key> {
    let (namespace, name) = text.split_once('/')?;
    let is_fine = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
    is_fine.then(|| Key::new(namespace, name))
}

/// One of `on` and `off`.
pub fn on_off(text: &str) -> Result<bool, Expected> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off"),
    }
}

/// A list: separated by commas, trimmed, without empty items.
pub fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// A list of addresses and networks; the items that are neither come second.
pub fn networks(text: &str) -> (Vec<Network>, Vec<String>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for item in list(text) {
        match item.parse() {
            Ok(network) => known.push(network),
            Err(NotANetwork) => unknown.push(item),
        }
    }
    (known, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, number) in [
            ("", Some(0)),
            ("10", Some(10)),
            ("-3", Some(-3)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("many", None),
            ("1s", None),
            ("--1", None),
        ] {
            assert_eq!(int(text).ok(), number, "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, milliseconds) in [
            ("1h", Some(3_600_000)),
            ("1h30m", Some(5_400_000)),
            ("60", Some(60_000)),
            ("500ms", Some(500)),
            ("", None),
            ("h", None),
            ("1x", None),
        ] {
            assert_eq!(time(text).ok(), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn networks_are_addresses_with_or_without_a_length() {
        let (known, unknown) = networks("10.1.2.3/8, ::1,nowhere, 192.0.2.7 ,10.0.0.0/33");
        let known: Vec<_> = known.iter().map(Network::to_string).collect();
        assert_eq!(known, ["10.0.0.0/8", "::1/128", "192.0.2.7/32"]);
        assert_eq!(unknown, ["nowhere", "10.0.0.0/33"]);
        assert_eq!(networks(""), (vec![], vec![]));
    }
}
