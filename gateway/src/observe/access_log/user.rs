//! The user name in an `Authorization` header, for `$remote_user`.

/// The user of basic authentication. None if the header is of another kind or malformed, or the name is empty.
pub(crate) fn basic_user(authorization: &[u8]) -> Option<Vec<u8>> {
    let (scheme, credentials) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut user = decoded(credentials.trim_ascii_start())?;
    let end = memchr::memchr(b':', &user).filter(|end| *end > 0)?;
    user.truncate(end);
    Some(user)
}

/// Decodes base64, with or without its padding.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memchr(b'=', text).unwrap_or(text.len());
    let mut bytes = Vec::with_capacity(end * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for digit in &text[..end] {
        bits = bits << 6 | u32::from(sextet(*digit)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    (count < 6).then_some(bytes)
}

fn sextet(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_ends_at_the_first_colon() {
        for (header, user) in [
            ("Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ==", "aladdin"),
            ("basic   YTpi", "a"),
            ("BASIC w6k6/+8", "\u{e9}"),
        ] {
            assert_eq!(basic_user(header.as_bytes()).as_deref(), Some(user.as_bytes()), "{header}");
        }
    }

    #[test]
    fn other_schemes_and_malformed_credentials_have_no_name() {
        for header in
            ["Bearer YTpi", "Basic", "Basic OmI=", "Basic YWI=", "Basic Y*pi", "Basic YTpiY", ""]
        {
            assert_eq!(basic_user(header.as_bytes()), None, "{header}");
        }
    }
}
