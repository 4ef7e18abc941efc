//! Names of subjects and issuers as text: RFC 2253 in the form in which OpenSSL writes it (`-nameopt RFC2253`), byte for
//! byte, because upstreams and configured patterns know that form. The text is ASCII and holds no control characters.

mod attributes;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use x509_parser::{
    asn1_rs::{Any, Class},
    x509::X509Name,
};

/// The text of a name; `None` if OpenSSL would not write it.
pub fn text(name: &X509Name<'_>) -> Option<String> {
    let mut out = String::new();
    // Last things first, also among values that stand side by side.
    let sets: Vec<Vec<_>> = name.iter_rdn().map(|set| set.iter().collect()).collect();
    for set in sets.iter().rev() {
        for (index, attribute) in set.iter().rev().enumerate() {
            if !out.is_empty() {
                out.push(if index == 0 { ',' } else { '+' });
            }
            let kind = attribute.attr_type().to_id_string();
            let known = attributes::short_name(&kind);
            out.push_str(known.unwrap_or(&kind));
            out.push('=');
            value(&mut out, attribute.attr_value(), known.is_some())?;
        }
    }
    Some(out)
}

/// How the characters of a string are stored.
#[derive(Clone, Copy)]
enum Width {
    /// UTF-8, which is taken as it is.
    Utf8,
    /// One byte each.
    One,
    /// Two bytes each.
    Two,
    /// Four bytes each.
    Four,
}

/// How a type of strings stores its characters; `None` for what is no string, or is not read as one.
fn width(value: &Any<'_>) -> Option<Width> {
    if value.header.class() != Class::Universal {
        return None;
    }
    match value.header.tag().0 {
        12 => Some(Width::Utf8),
        // NumericString, PrintableString, T61String, IA5String, UTCTime, GeneralizedTime, VisibleString
        18..=20 | 22..=24 | 26 => Some(Width::One),
        28 => Some(Width::Four),
        30 => Some(Width::Two),
        _ => None,
    }
}

fn value(out: &mut String, value: &Any<'_>, is_known: bool) -> Option<()> {
    let Some(width) = width(value).filter(|_| is_known) else {
        dump(out, value);
        return Some(());
    };
    let data = value.data;
    let size = match width {
        Width::Utf8 | Width::One => 1,
        Width::Two => 2,
        Width::Four => 4,
    };
    let is_whole = match width {
        Width::Utf8 => std::str::from_utf8(data).is_ok(),
        Width::One | Width::Two | Width::Four => data.len().is_multiple_of(size),
    };
    if !is_whole {
        return None;
    }
    let count = data.len() / size;
    for (index, unit) in data.chunks_exact(size).enumerate() {
        let code = unit.iter().fold(0_u32, |code, byte| code << 8 | u32::from(*byte));
        // Of a single character only "last" counts.
        let place = match index {
            _ if index + 1 == count => Place::Last,
            0 => Place::First,
            _ => Place::Middle,
        };
        if matches!(width, Width::Utf8) || code < 0x80 {
            escape(out, unit[size - 1], place);
        } else {
            // OpenSSL refuses names with halves of surrogate pairs, too.
            let mut utf8 = [0; 4];
            let bytes = char::from_u32(code)?.encode_utf8(&mut utf8).as_bytes();
            bytes.iter().for_each(|byte| escape(out, *byte, place));
        }
    }
    Some(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Middle,
    Last,
}

fn escape(out: &mut String, byte: u8, place: Place) {
    let is_special = match byte {
        b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => true,
        b' ' => place != Place::Middle,
        b'#' => place == Place::First,
        _ => false,
    };
    match byte {
        _ if is_special => {
            out.push('\\');
            out.push(char::from(byte));
        }
        0x20..=0x7e => out.push(char::from(byte)),
        // Writing to a String does not fail.
        _ => drop(write!(out, "\\{byte:02X}")),
    }
}

/// The encoding of a value in hexadecimal digits.
fn dump(out: &mut String, value: &Any<'_>) {
    let header = &value.header;
    let class = match header.class() {
        Class::Universal => 0,
        Class::Application => 0x40,
        Class::ContextSpecific => 0x80,
        Class::Private => 0xc0,
    };
    let constructed = if header.is_constructed() { 0x20 } else { 0 };
    // Larger numbers take more than one byte; nobody uses them here.
    let tag = u8::try_from(header.tag().0).unwrap_or(0x1f) & 0x1f;
    let mut head = vec![class | constructed | tag];
    let length = value.data.len();
    if length < 0x80 {
        head.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or_default();
        head.push(0x80 | (bytes.len() - first) as u8);
        head.extend_from_slice(&bytes[first..]);
    }
    out.push('#');
    for byte in head.iter().chain(value.data) {
        // Writing to a String does not fail.
        let _ = write!(out, "{byte:02X}");
    }
}
