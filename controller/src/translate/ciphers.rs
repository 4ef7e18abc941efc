//! Lists of ciphers, groups and versions as OpenSSL writes them -> what the TLS library has (annotations §3.4,
//! configmap-and-flags §8).
//!
//! The library only has suites with an ephemeral key exchange and authenticated encryption. Lists are executed as
//! OpenSSL does it, over these; what selects none of them is named.

use headgate_config::{
    KeyGroup,
    TlsSuite::{self, *},
    TlsVersions,
};

/// What a list comes to, and which of its words name nothing that can be offered.
#[derive(Debug, PartialEq, Eq)]
pub struct Selected<T> {
    /// In order of preference.
    pub items: Vec<T>,
    /// Words that select nothing here.
    pub without: Vec<String>,
}

/// Executes a list of ciphers (`openssl-ciphers(1)`).
pub fn ciphers(text: &str) -> Selected<TlsSuite> {
    let mut list = List { left: TlsSuite::ALL.to_vec(), chosen: Vec::new() };
    let mut without = Vec::new();
    let words = text.split([':', ',', ' ', ';', '\n', '\t']).filter(|word| !word.is_empty());
    for word in words {
        let (operator, name) = match word.chars().next() {
            Some(operator @ ('!' | '-' | '+')) => (Some(operator), &word[1..]),
            _ => (None, word),
        };
        let (name, command) = match name.split_once('@') {
            Some((name, command)) => (name, Some(command)),
            None => (name, None),
        };
        if !name.is_empty() {
            let selects = |suite: &TlsSuite| name.split('+').all(|part| has(*suite, part));
            match operator {
                Some('!') => list.kill(selects),
                Some('-') => list.take_back(selects),
                Some(_) => list.move_back(selects),
                None if TlsSuite::ALL.iter().any(selects) => list.choose(selects),
                None => without.push(name.to_owned()),
            }
        }
        if let Some(command) = command {
            list.obey(command);
        }
    }
    Selected { items: list.chosen, without }
}

/// A list while it is executed.
struct List {
    /// What may still be chosen.
    left: Vec<TlsSuite>,
    chosen: Vec<TlsSuite>,
}

impl List {
    fn choose(&mut self, selects: impl Fn(&TlsSuite) -> bool) {
        self.chosen.extend(self.left.extract_if(.., |suite| selects(suite)));
    }

    fn kill(&mut self, selects: impl Fn(&TlsSuite) -> bool) {
        self.left.retain(|suite| !selects(suite));
        self.chosen.retain(|suite| !selects(suite));
    }

    /// What is taken back is first in line when it is chosen again.
    fn take_back(&mut self, selects: impl Fn(&TlsSuite) -> bool) {
        let taken: Vec<_> = self.chosen.extract_if(.., |suite| selects(suite)).collect();
        self.left.splice(0..0, taken);
    }

    fn move_back(&mut self, selects: impl Fn(&TlsSuite) -> bool) {
        let moved: Vec<_> = self.chosen.extract_if(.., |suite| selects(suite)).collect();
        self.chosen.extend(moved);
    }

    fn obey(&mut self, command: &str) {
        if command == "STRENGTH" {
            self.chosen.sort_by_key(|suite| std::cmp::Reverse(bits(*suite)));
        } else if let Some(level) = command.strip_prefix("SECLEVEL=") {
            let least = match level {
                "4" => 192,
                "5" => 256,
                _ => 128,
            };
            self.kill(|suite| bits(*suite) < least);
        }
    }
}

/// Strength of a suite's encryption.
fn bits(suite: TlsSuite) -> u16 {
    match suite {
        EcdheEcdsaAes128GcmSha256 | EcdheRsaAes128GcmSha256 => 128,
        EcdheEcdsaAes256GcmSha384
        | EcdheRsaAes256GcmSha384
        | EcdheEcdsaChacha20Poly1305
        | EcdheRsaChacha20Poly1305 => 256,
    }
}

/// Whether a word of a list is about a suite.
fn has(suite: TlsSuite, word: &str) -> bool {
    let is_ecdsa = matches!(
        suite,
        EcdheEcdsaAes256GcmSha384 | EcdheEcdsaChacha20Poly1305 | EcdheEcdsaAes128GcmSha256
    );
    let is_chacha = matches!(suite, EcdheEcdsaChacha20Poly1305 | EcdheRsaChacha20Poly1305);
    match word {
        "ALL" | "DEFAULT" | "HIGH" | "AEAD" | "TLSv1.2" => true,
        "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" => true,
        "ECDSA" | "aECDSA" => is_ecdsa,
        "aRSA" => !is_ecdsa,
        "CHACHA20" => is_chacha,
        "AES" | "AESGCM" | "FIPS" => !is_chacha,
        "AES128" => bits(suite) == 128,
        "AES256" => bits(suite) == 256 && !is_chacha,
        _ => names(suite).contains(&word),
    }
}

/// OpenSSL's name of a suite, and the one of its registration.
fn names(suite: TlsSuite) -> [&'static str; 2] {
    match suite {
        EcdheEcdsaAes256GcmSha384 => {
            ["ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
        }
        EcdheRsaAes256GcmSha384 => {
            ["ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]
        }
        EcdheEcdsaChacha20Poly1305 => {
            ["ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"]
        }
        EcdheRsaChacha20Poly1305 => {
            ["ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"]
        }
        EcdheEcdsaAes128GcmSha256 => {
            ["ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]
        }
        EcdheRsaAes128GcmSha256 => {
            ["ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
        }
    }
}

/// Reads a list of groups; `auto` is none, and leaves the choice to the library.
pub fn groups(text: &str) -> Selected<KeyGroup> {
    let mut selected = Selected { items: Vec::new(), without: Vec::new() };
    // Later versions of OpenSSL have marks for groups that may be missing, and for key shares to expect.
    let words = text.split([':', '/', ',', ' ']).map(|word| word.trim_matches(['?', '*']));
    for word in words.filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("auto")) {
        let group = match word.to_ascii_lowercase().as_str() {
            "x25519" => KeyGroup::X25519,
            "prime256v1" | "secp256r1" | "p-256" => KeyGroup::P256,
            "secp384r1" | "p-384" => KeyGroup::P384,
            "x25519mlkem768" => KeyGroup::X25519MlKem768,
            "secp256r1mlkem768" => KeyGroup::P256MlKem768,
            _ => {
                selected.without.push(word.to_owned());
                continue;
            }
        };
        if !selected.items.contains(&group) {
            selected.items.push(group);
        }
    }
    selected
}

/// Reads a list of versions; `None` where neither 1.2 nor 1.3 is among them.
pub fn versions(text: &str) -> (Option<TlsVersions>, Vec<String>) {
    let words = || text.split([' ', ',', '\t', '\n']).filter(|word| !word.is_empty());
    let has = |version: &str| words().any(|word| word == version);
    let versions = match (has("TLSv1.2"), has("TLSv1.3")) {
        (true, true) => Some(TlsVersions::Both),
        (true, false) => Some(TlsVersions::Tls12),
        (false, true) => Some(TlsVersions::Tls13),
        (false, false) => None,
    };
    let others = words().filter(|word| !matches!(*word, "TLSv1.2" | "TLSv1.3"));
    (versions, others.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, items: &[TlsSuite], without: &[&str]) {
        let selected = ciphers(text);
        assert_eq!(selected.items, items, "{text}");
        assert_eq!(selected.without, without, "{text}");
    }

    #[test]
    fn suites_are_named_in_order() {
        check("ECDHE-RSA-AES128-GCM-SHA256", &[EcdheRsaAes128GcmSha256], &[]);
        check(
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,ECDHE-ECDSA-AES256-GCM-SHA384",
            &[EcdheRsaChacha20Poly1305, EcdheEcdsaAes256GcmSha384],
            &[],
        );
    }

    #[test]
    fn words_are_executed_as_openssl_does_it() {
        check("HIGH:!aNULL:!MD5", &TlsSuite::ALL, &[]);
        check(
            "ECDHE+AESGCM",
            &[
                EcdheEcdsaAes256GcmSha384,
                EcdheRsaAes256GcmSha384,
                EcdheEcdsaAes128GcmSha256,
                EcdheRsaAes128GcmSha256,
            ],
            &[],
        );
        check(
            "EECDH+CHACHA20:EECDH+AES256",
            &[
                EcdheEcdsaChacha20Poly1305,
                EcdheRsaChacha20Poly1305,
                EcdheEcdsaAes256GcmSha384,
                EcdheRsaAes256GcmSha384,
            ],
            &[],
        );
        check(
            "ALL:!aRSA:+CHACHA20",
            &[EcdheEcdsaAes256GcmSha384, EcdheEcdsaAes128GcmSha256, EcdheEcdsaChacha20Poly1305],
            &[],
        );
        check(
            "ALL:-AES:AES128",
            &[
                EcdheEcdsaChacha20Poly1305,
                EcdheRsaChacha20Poly1305,
                EcdheEcdsaAes128GcmSha256,
                EcdheRsaAes128GcmSha256,
            ],
            &[],
        );
        check(
            "AES128+aRSA:AES256+aRSA:@STRENGTH",
            &[EcdheRsaAes256GcmSha384, EcdheRsaAes128GcmSha256],
            &[],
        );
        check("aRSA:@SECLEVEL=4", &[EcdheRsaAes256GcmSha384, EcdheRsaChacha20Poly1305], &[]);
        check("!AES128:AES128:ECDSA+CHACHA20", &[EcdheEcdsaChacha20Poly1305], &[]);
    }

    #[test]
    fn what_selects_nothing_is_named_and_what_is_excluded_is_not() {
        check("AES128-SHA:ECDHE+3DES:RsaAes", &[], &["AES128-SHA", "ECDHE+3DES", "RsaAes"]);
        check(
            "DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:!DES:-kRSA",
            &[EcdheRsaAes128GcmSha256],
            &["DHE-RSA-AES128-GCM-SHA256"],
        );
        check("", &[], &[]);
    }

    #[test]
    fn groups_have_several_names() {
        let selected = groups("X25519:prime256v1:secp521r1:P-256:secp384r1");
        assert_eq!(selected.items, [KeyGroup::X25519, KeyGroup::P256, KeyGroup::P384]);
        assert_eq!(selected.without, ["secp521r1"]);
        assert_eq!(groups("auto"), Selected { items: vec![], without: vec![] });
    }

    #[test]
    fn old_versions_are_left_out() {
        assert_eq!(versions("TLSv1.2 TLSv1.3"), (Some(TlsVersions::Both), vec![]));
        let old = vec!["TLSv1".to_owned(), "TLSv1.1".to_owned()];
        assert_eq!(versions("TLSv1 TLSv1.1 TLSv1.2"), (Some(TlsVersions::Tls12), old.clone()));
        assert_eq!(versions("TLSv1 TLSv1.1"), (None, old));
    }
}
