//! Cipher lists as OpenSSL writes them, as far as its suites are there: those of TLS 1.2 with forward secrecy and
//! authenticated encryption. A list says nothing about TLS 1.3.

use headgate_config::{TlsSuite, TlsVersions};

use super::Values;

/// The suites, best first, with the words of OpenSSL that mean them besides `ALL`, `DEFAULT` and `HIGH`.
const SUITES: [(TlsSuite, &str, &[&str]); 6] = [
    (
        TlsSuite::EcdheEcdsaAes256GcmSha384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        &["aECDSA", "ECDSA", "AES", "AES256", "AESGCM", "SHA384"],
    ),
    (
        TlsSuite::EcdheRsaAes256GcmSha384,
        "ECDHE-RSA-AES256-GCM-SHA384",
        &["aRSA", "AES", "AES256", "AESGCM", "SHA384"],
    ),
    (
        TlsSuite::EcdheEcdsaChacha20Poly1305,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        &["aECDSA", "ECDSA", "CHACHA20"],
    ),
    (TlsSuite::EcdheRsaChacha20Poly1305, "ECDHE-RSA-CHACHA20-POLY1305", &["aRSA", "CHACHA20"]),
    (
        TlsSuite::EcdheEcdsaAes128GcmSha256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        &["aECDSA", "ECDSA", "AES", "AES128", "AESGCM", "SHA256"],
    ),
    (
        TlsSuite::EcdheRsaAes128GcmSha256,
        "ECDHE-RSA-AES128-GCM-SHA256",
        &["aRSA", "AES", "AES128", "AESGCM", "SHA256"],
    ),
];
/// Words that mean all of them.
const ALL: [&str; 10] =
    ["ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH", "kECDHE", "kEECDH", "TLSv1.2", "AEAD", "FIPS"];
/// Words of OpenSSL that mean none of them, so that to forbid them changes nothing.
const NONE: [&str; 30] = [
    "3DES",
    "ADH",
    "AECDH",
    "ARIA",
    "AESCCM",
    "AESCCM8",
    "CAMELLIA",
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "DES",
    "DH",
    "DHE",
    "DSS",
    "EDH",
    "EXP",
    "EXPORT",
    "IDEA",
    "LOW",
    "MD5",
    "MEDIUM",
    "NULL",
    "PSK",
    "RC4",
    "SEED",
    "SHA",
    "SHA1",
    "SRP",
    "aNULL",
    "eNULL",
    "kRSA",
];

/// The suites that `proxy-ssl-ciphers` asks for; none for all.
///
/// # Errors
///
/// If nothing is left to speak.
pub fn read(
    values: &mut Values<'_>,
    versions: TlsVersions,
) -> Result<Option<Vec<TlsSuite>>, String> {
    let Some(list) = values.text("proxy-ssl-ciphers") else { return Ok(None) };
    let Choice { suites, missing } = choose(&list);
    let named = missing.join(", ");
    if suites.is_empty() && versions != TlsVersions::Tls13 {
        let which = if named.is_empty() { list } else { named };
        return Err(format!(
            "proxy-ssl-ciphers: {which:?} is not available here; name one of the suites {}",
            SUITES.map(|(_, name, _)| name).join(", ")
        ));
    }
    if !missing.is_empty() {
        let message =
            format!("proxy-ssl-ciphers: {named} is not available here; the others are offered");
        values.warn("NotSupported", message);
    }
    let is_all = SUITES.iter().map(|(suite, ..)| suite).eq(&suites);
    Ok(Some(suites).filter(|_| !is_all))
}

/// What a list comes to.
#[derive(Debug, Default, PartialEq)]
struct Choice {
    /// The suites, in its order.
    suites: Vec<TlsSuite>,
    /// Words that ask for something that is not there.
    missing: Vec<String>,
}

/// Follows a list as OpenSSL does: `!` forbids for good, `-` takes away, `+` moves behind the others.
fn choose(list: &str) -> Choice {
    let mut choice = Choice::default();
    let mut forbidden = Vec::new();
    for word in list.split([':', ' ', ',']).filter(|word| !word.is_empty()) {
        let (sign, name) = match word.split_at_checked(1) {
            Some((sign @ ("!" | "-" | "+"), name)) => (sign, name),
            _ => ("", word),
        };
        let meant = meant(name);
        match sign {
            "!" => {
                choice.suites.retain(|suite| !meant.contains(suite));
                forbidden.extend(meant);
            }
            "-" => choice.suites.retain(|suite| !meant.contains(suite)),
            "+" => {
                let (moved, mut kept): (Vec<_>, Vec<_>) =
                    choice.suites.iter().partition(|suite| meant.contains(suite));
                kept.extend(moved);
                choice.suites = kept;
            }
            _ => {
                if meant.is_empty() {
                    choice.missing.push(name.to_owned());
                }
                for suite in meant {
                    if !choice.suites.contains(&suite) && !forbidden.contains(&suite) {
                        choice.suites.push(suite);
                    }
                }
            }
        }
    }
    choice
}

/// The suites that a word means; joined by `+`, words mean what each of them does.
fn meant(name: &str) -> Vec<TlsSuite> {
    let means = |(_, own, words): &(TlsSuite, &str, &[&str]), word: &str| {
        *own == word || ALL.contains(&word) || words.contains(&word)
    };
    let is_meant =
        |suite: &&(TlsSuite, &str, &[&str])| name.split('+').all(|word| means(suite, word));
    if NONE.contains(&name) {
        return Vec::new();
    }
    SUITES.iter().filter(is_meant).map(|(suite, ..)| *suite).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_followed_as_openssl_follows_them() {
        let [e256, r256, echa, rcha, e128, r128] = SUITES.map(|(suite, ..)| suite);
        for (list, suites, missing) in [
            ("DEFAULT", &[e256, r256, echa, rcha, e128, r128][..], &[][..]),
            ("HIGH:!aNULL:!MD5", &[e256, r256, echa, rcha, e128, r128], &[]),
            ("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384", &[r128, r256], &[]),
            ("AES256-SHA:ECDHE+CHACHA20", &[echa, rcha], &["AES256-SHA"]),
            ("ALL:!aRSA:-AES128", &[e256, echa], &[]),
            ("ALL:!AES:AES", &[echa, rcha], &[]),
            ("AESGCM:+AES256", &[e128, r128, e256, r256], &[]),
            ("DHE-RSA-AES256-SHA", &[], &["DHE-RSA-AES256-SHA"]),
        ] {
            let missing = missing.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(choose(list), Choice { suites: suites.to_vec(), missing }, "{list}");
        }
    }
}
