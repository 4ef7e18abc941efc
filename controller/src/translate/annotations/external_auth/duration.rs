//! How long answers are remembered: `200 202 10m, 401 5m`.

use headgate_config::protection::CacheDuration;

use crate::translate::config::value;

/// Where nothing is said.
pub const DEFAULT: &str = "200 202 401 5m";

/// Reads a list; each item is a time with statuses in front of it.
///
/// # Errors
///
/// What is wrong with an item.
pub fn parse(text: &str) -> Result<Vec<CacheDuration>, String> {
    text.split(',').map(item).collect()
}

fn item(text: &str) -> Result<CacheDuration, String> {
    let invalid =
        || format!("{:?} is not of the form STATUS … TIME, such as 200 202 10m", text.trim());
    let mut words: Vec<_> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let time = words.pop().filter(|word| is_time(word)).ok_or_else(invalid)?;
    let status = |word: &&str| {
        let is_number = word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse::<u16>().ok().filter(|_| is_number)
    };
    let statuses: Option<Vec<u16>> = words.iter().map(status).collect();
    Ok(CacheDuration {
        statuses: statuses.ok_or_else(invalid)?,
        time: value::time(time).map_err(|_| invalid())?,
    })
}

/// Whether a word is one number with one unit.
fn is_time(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < word.len() && ["ms", "s", "m", "h", "d", "w", "M", "y"].contains(&unit)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn statuses_and_their_times() {
        let duration = |statuses: &[u16], seconds| CacheDuration {
            statuses: statuses.into(),
            time: Duration::from_secs(seconds),
        };
        for (text, expected) in [
            (DEFAULT, vec![duration(&[200, 202, 401], 300)]),
            ("200 202 10m,  401  5s", vec![duration(&[200, 202], 600), duration(&[401], 5)]),
            ("30m", vec![duration(&[], 1800)]),
            ("200 1y", vec![duration(&[200], 365 * 24 * 3600)]),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(&expected[..]), "{text}");
        }
        for text in
            ["", "200", "5m;", "200 5m 401", "20 5m", "200 5", "5m,", "any 5m", "200 1h30m", "m"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
