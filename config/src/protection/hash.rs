//! The forms in which a password may be stored (annotations §3.6). Recognised here, so that the control plane can say
//! what is wrong with one; compared with by the gateway.

use std::fmt;

/// How a password is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashKind {
    /// `$apr1$`: Apache's variant of the MD5 crypt.
    Apr1,
    /// `$1$`: MD5 crypt.
    Md5Crypt,
    /// `$2a$`, `$2b$`, `$2x$`, `$2y$`: bcrypt.
    Bcrypt,
    /// `$5$`: SHA-256 crypt.
    Sha256Crypt,
    /// `$6$`: SHA-512 crypt.
    Sha512Crypt,
    /// `{SHA}`: SHA-1 without salt.
    Sha,
    /// `{SSHA}`: SHA-1 with salt.
    SaltedSha,
    /// `{PLAIN}`: the password itself.
    Plain,
    /// Thirteen characters: the traditional DES crypt, of which eight characters of a password count.
    Des,
}

/// Why no password can be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashProblem {
    /// There is none.
    Missing,
    /// Its form is unknown.
    Unknown,
    /// It is not what its prefix says.
    Malformed,
    /// To compare with it would take too long, at the expense of others.
    TooCostly,
}

/// The highest cost of bcrypt that is compared with: about four seconds of a core.
pub const MAX_BCRYPT_COST: u8 = 16;
/// The highest number of rounds of SHA crypt that are compared with: about a second of a core.
pub const MAX_SHA_CRYPT_ROUNDS: u32 = 5_000_000;
/// Fewer are not made by any implementation.
const MIN_SHA_CRYPT_ROUNDS: u32 = 1000;

impl HashKind {
    /// The form of a hash.
    ///
    /// # Errors
    ///
    /// Why no password can be right.
    pub fn of(hash: &str) -> Result<Self, HashProblem> {
        let well_formed = |kind, fine| if fine { Ok(kind) } else { Err(HashProblem::Malformed) };
        if let Some(rest) = hash.strip_prefix("$apr1$") {
            return well_formed(Self::Apr1, is_salted(rest, 8, 22));
        }
        if let Some(rest) = hash.strip_prefix("$1$") {
            return well_formed(Self::Md5Crypt, is_salted(rest, 8, 22));
        }
        if ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
            return bcrypt(&hash[4..]);
        }
        if let Some(rest) = hash.strip_prefix("$5$") {
            return sha_crypt(Self::Sha256Crypt, rest, 43);
        }
        if let Some(rest) = hash.strip_prefix("$6$") {
            return sha_crypt(Self::Sha512Crypt, rest, 86);
        }
        if let Some(rest) = hash.strip_prefix("{SHA}") {
            let fine = rest.len() == 28 && rest.ends_with('=') && is_base64(rest);
            return well_formed(Self::Sha, fine);
        }
        if let Some(rest) = hash.strip_prefix("{SSHA}") {
            // Twenty bytes, and at least one of salt.
            return well_formed(Self::SaltedSha, rest.len() >= 28 && is_base64(rest));
        }
        if let Some(rest) = hash.strip_prefix("{PLAIN}") {
            return well_formed(Self::Plain, !rest.is_empty());
        }
        match hash.len() {
            0 => Err(HashProblem::Missing),
            13 if hash.bytes().all(is_crypt) => Ok(Self::Des),
            _ => Err(HashProblem::Unknown),
        }
    }

    /// Whether it is meant to take long to compare with.
    pub fn is_slow(self) -> bool {
        match self {
            Self::Apr1
            | Self::Md5Crypt
            | Self::Bcrypt
            | Self::Sha256Crypt
            | Self::Sha512Crypt
            | Self::Des => true,
            Self::Sha | Self::SaltedSha | Self::Plain => false,
        }
    }
}

impl fmt::Display for HashProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("has no hash"),
            Self::Unknown => f.write_str("has a hash of an unknown kind"),
            Self::Malformed => f.write_str("has a malformed hash"),
            Self::TooCostly => write!(
                f,
                "has a hash that takes too long to compare with (bcrypt may have a cost of {MAX_BCRYPT_COST}, SHA crypt {MAX_SHA_CRYPT_ROUNDS} rounds)"
            ),
        }
    }
}

fn bcrypt(rest: &str) -> Result<HashKind, HashProblem> {
    let (cost, rest) = rest.split_once('$').ok_or(HashProblem::Malformed)?;
    let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
    match cost.parse::<u8>() {
        Ok(4..=31) if !digits => Err(HashProblem::Malformed),
        Ok(4..=31) if rest.len() != 53 || !rest.bytes().all(is_crypt) => {
            Err(HashProblem::Malformed)
        }
        Ok(4..=MAX_BCRYPT_COST) => Ok(HashKind::Bcrypt),
        Ok(4..=31) => Err(HashProblem::TooCostly),
        _ => Err(HashProblem::Malformed),
    }
}

fn sha_crypt(kind: HashKind, rest: &str, length: usize) -> Result<HashKind, HashProblem> {
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        None => (None, rest),
        Some(rest) => {
            let (rounds, rest) = rest.split_once('$').ok_or(HashProblem::Malformed)?;
            if rounds.is_empty() || !rounds.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(HashProblem::Malformed);
            }
            (Some(rounds.parse::<u32>().map_err(|_| HashProblem::TooCostly)?), rest)
        }
    };
    if !is_salted(rest, 16, length) || rounds.is_some_and(|rounds| rounds < MIN_SHA_CRYPT_ROUNDS) {
        return Err(HashProblem::Malformed);
    }
    let is_costly = rounds.is_some_and(|rounds| rounds > MAX_SHA_CRYPT_ROUNDS);
    if is_costly { Err(HashProblem::TooCostly) } else { Ok(kind) }
}

/// Whether it is `salt$digest`.
fn is_salted(text: &str, salt_limit: usize, length: usize) -> bool {
    text.split_once('$').is_some_and(|(salt, digest)| {
        salt.len() <= salt_limit
            && salt.bytes().all(|byte| byte.is_ascii_graphic())
            && digest.len() == length
            && digest.bytes().all(is_crypt)
    })
}

fn is_crypt(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/')
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::{HashKind::*, HashProblem::*, *};

    #[test]
    fn the_form_of_a_hash_is_that_of_its_prefix() {
        let bcrypt = |head: &str| format!("{head}{}", "a".repeat(53));
        let sha = |head: &str, length| format!("{head}{}", "a".repeat(length));
        for (hash, expected) in [
            ("$apr1$salt$6DmLOfyZJSLlUIhuaCeHJ1".to_owned(), Ok(Apr1)),
            ("$apr1$saltsalts$6DmLOfyZJSLlUIhuaCeHJ1".to_owned(), Err(Malformed)),
            ("$apr1$salt".to_owned(), Err(Malformed)),
            ("$1$salt$6DmLOfyZJSLlUIhuaCeHJ1".to_owned(), Ok(Md5Crypt)),
            (bcrypt("$2a$04$"), Ok(Bcrypt)),
            (bcrypt("$2y$16$"), Ok(Bcrypt)),
            (bcrypt("$2y$17$"), Err(TooCostly)),
            (bcrypt("$2y$31$"), Err(TooCostly)),
            (bcrypt("$2y$32$"), Err(Malformed)),
            (bcrypt("$2y$+4$"), Err(Malformed)),
            (bcrypt("$2z$10$"), Err(Unknown)),
            ("$2y$10$short".to_owned(), Err(Malformed)),
            (sha("$5$salt$", 43), Ok(Sha256Crypt)),
            (sha("$5$rounds=1000$salt$", 43), Ok(Sha256Crypt)),
            (sha("$6$rounds=5000000$salt$", 86), Ok(Sha512Crypt)),
            (sha("$6$rounds=5000001$salt$", 86), Err(TooCostly)),
            (sha("$6$rounds=99999999999$salt$", 86), Err(TooCostly)),
            (sha("$6$rounds=999$salt$", 86), Err(Malformed)),
            (sha("$6$rounds=x$salt$", 86), Err(Malformed)),
            (sha("$6$salt$", 43), Err(Malformed)),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=".to_owned(), Ok(Sha)),
            ("{SHA}5en6".to_owned(), Err(Malformed)),
            ("{SSHA}5en6G6MezRroT3XKqkdPOmY/BfRzYWx0".to_owned(), Ok(SaltedSha)),
            ("{SSHA}5en6".to_owned(), Err(Malformed)),
            ("{PLAIN}x".to_owned(), Ok(Plain)),
            ("{PLAIN}".to_owned(), Err(Malformed)),
            ("{sha}5en6G6MezRroT3XKqkdPOmY/BfQ=".to_owned(), Err(Unknown)),
            ("abNANd1rDfiNc".to_owned(), Ok(Des)),
            ("secret".to_owned(), Err(Unknown)),
            (String::new(), Err(Missing)),
        ] {
            assert_eq!(HashKind::of(&hash), expected, "{hash}");
        }
    }
}
