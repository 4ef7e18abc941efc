//! Values of DER, one after the other, and times.

use x509_parser::asn1_rs::{Any, Class, FromDer, Tag};

use super::Flaw;

/// Reads one value after the other.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value.
    pub fn next(&mut self) -> Result<Any<'a>, Flaw> {
        let (rest, value) = Any::from_der(self.0).map_err(|_| Flaw::Malformed)?;
        self.0 = rest;
        Ok(value)
    }

    /// The content of the next value, which has to be of this kind.
    pub fn take(&mut self, class: Class, tag: Tag) -> Result<&'a [u8], Flaw> {
        let value = self.next()?;
        let is_it = value.header.class() == class && value.header.tag() == tag;
        is_it.then_some(value.data).ok_or(Flaw::Malformed)
    }

    /// The content of the next value if it is tagged like this.
    pub fn optional(&mut self, tag: u32) -> Result<Option<&'a [u8]>, Flaw> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let before = self.0;
        let value = self.next()?;
        if value.header.class() == Class::ContextSpecific && value.header.tag() == Tag(tag) {
            return Ok(Some(value.data));
        }
        self.0 = before;
        Ok(None)
    }

    /// The content of a sequence behind which nothing comes.
    pub fn sequence_only(mut self) -> Result<&'a [u8], Flaw> {
        let content = self.take(Class::Universal, Tag::Sequence)?;
        self.0.is_empty().then_some(content).ok_or(Flaw::Malformed)
    }
}

/// `YYYYMMDDHHMMSSZ`, the only form that is allowed here (RFC 6960 §4.2.2.1), in seconds since 1970.
pub fn time(text: &[u8]) -> Result<i64, Flaw> {
    let (digits, zone) = text.split_at_checked(14).ok_or(Flaw::Malformed)?;
    if zone != b"Z" || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Flaw::Malformed);
    }
    let number = |at: usize, length: usize| {
        digits[at..at + length].iter().fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(4, 2), number(6, 2));
    let (hour, minute, second) = (number(8, 2), number(10, 2), number(12, 2));
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return Err(Flaw::Malformed);
    }
    // Days since 1970 in years that begin in March, so that leap days come last.
    let year = if month <= 2 { year - 1 } else { year };
    let era_days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let month_days = (153 * ((month + 9) % 12) + 2) / 5;
    let days = era_days + month_days + day - 1 - 719_468;
    Ok(((days * 24 + hour) * 60 + minute) * 60 + second)
}
